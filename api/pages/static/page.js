// Times as the reader's clock has them: without this they stay in UTC, as the server wrote them. And where we are, in sight.
const now = new Date();
const forms = {
  moment: { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" },
  old: { dateStyle: "medium", timeStyle: "short" },
  hour: { hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short" },
};
const written = (moment, form) => new Intl.DateTimeFormat(undefined, forms[form]).format(moment);

for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  time.title = time.dateTime;
  time.textContent = written(moment, moment.getFullYear() === now.getFullYear() ? "moment" : "old");
}
for (const text of document.querySelectorAll("[data-time]")) {
  text.textContent = written(new Date(text.dataset.time), text.dataset.form);
}
for (const told of document.querySelectorAll("[data-begins]")) {
  told.textContent = told.textContent.replace(/^.*? UTC/, written(new Date(told.dataset.begins), "moment"));
}
for (const zone of document.querySelectorAll("[data-zone]")) {
  zone.textContent = `Time zone: ${Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ")}`;
}
document.querySelector(".top [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
// Only a table that scrolls is a stop of the keyboard.
const watched = new ResizeObserver(entries => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
  }
});
for (const table of document.querySelectorAll(".wide")) watched.observe(table);
