"""Files for each kind of reader."""

from pathlib import Path

from evals.comparison import Finding, Verdict
from evals.report.files import write_comment
from tests.evals.report.samples import decided


def test_of_several_prompts_the_gravest_comes_first(tmp_path: Path) -> None:
    findings = {Verdict.EQUIVALENT: Finding.EQUIVALENT, Verdict.BETTER: Finding.BETTER, Verdict.WORSE: Finding.WORSE}
    comparisons = [decided(verdict, finding) for verdict, finding in findings.items()]
    comparisons.append(decided(Verdict.UNTRUSTWORTHY, Finding.UNKNOWN))
    write_comment(comparisons, ["answer@9: cannot be asked"], ["judge@2: changed"], tmp_path / "comment.md")
    text = (tmp_path / "comment.md").read_text()
    told = [
        "answer@9: cannot be asked",
        "is not trustworthy",
        "is worse than",
        "is better than",
        "is equivalent to",
        "judge@2: changed",
    ]
    assert [text.index(one) for one in told] == sorted(text.index(one) for one in told)
    assert text.startswith("- **Problem:** answer@9")
