"""promptfoo over the same questions, with as many requests at once: what people would use otherwise.

Knows its configuration and how it is installed. Knows nothing of ours.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VERSION = "0.121.20"
PROMPTS = ("Answer the question. Cite. Question: {{question}}", "You answer in short sentences.\nQuestion: {{question}}")
QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"}


def installed(folder: Path) -> bool:
    """Install it into a folder, from npm; whether npm is here to do so."""
    npm = shutil.which("npm")
    if npm is None:
        return False
    if not (folder / "node_modules").exists():
        folder.mkdir(exist_ok=True)
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", f"promptfoo@{VERSION}"]
        subprocess.run(command, check=True, capture_output=True)
    return True


def command(folder: Path, cases: Sequence[Mapping[str, Any]], url: str, at_once: int) -> tuple[list[str], dict[str, str]]:
    """What evaluates both prompts over the cases, scored by ROUGE, and its environment."""
    config = {
        "prompts": PROMPTS,
        "providers": [
            {
                "id": "openai:chat:gpt-4.1-mini",
                "config": {"apiBaseUrl": f"{url}/v1", "apiKey": "sk-bench", "max_tokens": 160, "temperature": 0},
            }
        ],
        "tests": [
            {
                "vars": {"question": case["question"]},
                "assert": [{"type": "rouge-n", "value": reference, "threshold": 0.0} for reference in case["references"][:1]],
            }
            for case in cases
        ],
        "evaluateOptions": {"maxConcurrency": at_once},
    }
    file = folder / "promptfooconfig.json"
    file.write_text(json.dumps(config))
    words = ["eval", "-c", str(file), "--no-cache", "--no-table", "--no-progress-bar", "-o", str(folder / "results.json")]
    environment = {**os.environ, **QUIET, "PROMPTFOO_CONFIG_DIR": str(folder / "config")}
    return [str(folder / "node_modules" / ".bin" / "promptfoo"), *words], environment
