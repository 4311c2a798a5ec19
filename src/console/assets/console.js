// All that the console's pages do by script. Without it they work, and are loaded again by hand.

// A live page brings its content up to date: one request for the whole page.
const MIN_MS = 1000;
for (const main of document.querySelectorAll('main[data-live]')) keepUpToDate(main);

async function keepUpToDate(main) {
  const everyMs = Math.max(MIN_MS, Number(main.dataset.live));
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    // Not while the user types or chooses there, nor in a hidden tab.
    const isInUse = main.contains(document.activeElement) && document.activeElement !== main;
    if (document.hidden || isInUse) continue;
    try {
      const response = await fetch(location.href, { redirect: 'error' });
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      const next = page.querySelector('main');
      if (next !== null) main.replaceChildren(...next.childNodes);
      // A finished page stops by itself.
      if (next !== null && next.dataset.live === undefined) return;
    } catch {
      // The session is over, or the API is away: the page stays as it was, and says since when.
      main.dataset.stale = 'true';
      continue;
    }
    delete main.dataset.stale;
  }
}

// A second click on a button does nothing while the first is under way.
for (const form of document.querySelectorAll('form[method=post]')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent === 'true') event.preventDefault();
    form.dataset.sent = 'true';
  });
}
// A page that the browser kept, and shows again after 'Back', can be sent again.
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});
