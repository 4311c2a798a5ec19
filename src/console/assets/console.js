// All that the console's pages do by script. Without it they work, and are loaded again by hand.

// A live page brings its content up to date: one request for the whole page.
const MIN_MS = 1000;
// As long as a notice takes to be read: what has changed since could contradict it.
const NOTICE_MS = 60_000;
for (const main of document.querySelectorAll('main[data-live]')) keepUpToDate(main);

async function keepUpToDate(main) {
  for (;;) {
    const everyMs = Math.max(MIN_MS, Number(main.dataset.live));
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    if (document.hidden || isInUse(main)) continue;
    try {
      const response = await fetch(location.href, { redirect: 'error' });
      if (!response.ok) throw new Error(`the page is answered with ${response.status}`);
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      const next = page.querySelector('main');
      // The user may have begun something meanwhile.
      if (isInUse(main)) continue;
      replaceContent(main, next);
      // A finished page stops by itself.
      if (next.dataset.live === undefined) return;
      // It looks more often while something goes out.
      main.dataset.live = next.dataset.live;
    } catch {
      // The session is over, or the API is away: the page stays as it was, and says so.
      main.dataset.stale = 'true';
      continue;
    }
    delete main.dataset.stale;
  }
}

// Whether the user is about to follow a link or send a form there, or has typed or sent something.
function isInUse(main) {
  const { activeElement } = document;
  if (main.contains(activeElement) && activeElement.matches('a, button, summary, input, select')) {
    return true;
  }
  return [...main.querySelectorAll('form')].some(
    (form) =>
      form.dataset.sent === 'true' ||
      [...form.querySelectorAll('input')].some((input) => input.value !== input.defaultValue),
  );
}

// The heading stays, and so does a notice; a table that has the focus keeps it.
function replaceContent(main, next) {
  const focused = main.contains(document.activeElement) && document.activeElement.ariaLabel;
  const kept = [main.querySelector('h1')];
  if (performance.now() < NOTICE_MS) kept.push(main.querySelector(':scope > .notice'));
  const replaced = [...main.childNodes].filter((node) => !kept.includes(node));
  for (const node of replaced) node.remove();
  next.querySelector('h1').remove();
  main.append(...next.childNodes);
  if (focused) {
    const again = main.querySelector(`[aria-label="${CSS.escape(focused)}"]`);
    again?.focus({ preventScroll: true });
  }
}

// A second click on a button does nothing while the first is under way. Also for forms that a live
// page has brought since it was loaded.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.method !== 'post') return;
  if (form.dataset.sent === 'true') event.preventDefault();
  form.dataset.sent = 'true';
});
// A page that the browser kept, and shows again after 'Back', can be sent again.
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});

// A search as one types: the list is replaced, and the address leads to what is shown.
const PAUSE_MS = 250;
for (const form of document.querySelectorAll('form[data-search]')) searchAsTyped(form);

function searchAsTyped(form) {
  let timer;
  let underWay = new AbortController();
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(search, PAUSE_MS);
  });

  async function search() {
    underWay.abort();
    underWay = new AbortController();
    const { signal } = underWay;
    const url = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    try {
      const response = await fetch(url, { redirect: 'error', signal });
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      const found = page.getElementById(form.dataset.search);
      // A refusal is a page of its own.
      if (found === null) return form.requestSubmit();
      document.getElementById(form.dataset.search).replaceChildren(...found.childNodes);
      history.replaceState(null, '', url);
    } catch {
      // A later one has taken its place; or the session is over, and the form leads to the sign-in.
      if (!signal.aborted) form.requestSubmit();
    }
  }
}

// A file is sent with a progress bar, and what became of it is shown below: it stays chosen.
for (const form of document.querySelectorAll('form[data-upload]')) {
  const bar = form.querySelector('progress');
  const status = form.querySelector('[role=status]');
  const place = document.querySelector('[data-result]');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (form.dataset.sent === 'true') return;
    place.replaceChildren();
    bar.hidden = false;
    const request = new XMLHttpRequest();
    request.open('POST', form.action);
    request.upload.addEventListener('progress', ({ loaded, total }) => {
      bar.max = total;
      bar.value = loaded;
      status.textContent = `${Math.floor((100 * loaded) / total)} % sent`;
    });
    request.addEventListener('progress', () => {
      const [, rows] = [...request.responseText.matchAll(/data-rows="(\d+)"/g)].at(-1) ?? [];
      if (rows !== undefined) status.textContent = `${Number(rows).toLocaleString('en')} rows read`;
    });
    request.addEventListener('loadend', () => {
      const page = new DOMParser().parseFromString(request.responseText, 'text/html');
      const result = page.querySelector('#result') ?? page.querySelector('main');
      if (result === null) status.textContent = 'The connection was lost. Send the file again.';
      else {
        place.replaceChildren(result);
        const link = place.querySelector('[data-chosen-again]');
        if (link !== null) link.textContent = 'To store it, choose Import above and send it again.';
        status.textContent = '';
      }
      bar.hidden = true;
      delete form.dataset.sent;
    });
    request.send(new FormData(form));
  });
}
