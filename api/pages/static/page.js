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
document.querySelector(".top [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
