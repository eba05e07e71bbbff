/*
 * early: what does not wait for the script of the page, which is still on its way: the colours that were chosen, before anything is
 * painted; and the stream of events, asked for at once with the token that the tab keeps, which feed.js goes on with.
 */
(() => {
  const kept = (storage, name) => {
    try {
      return window[storage].getItem(name) || "";
    } catch {
      return ""; /* No storage: as the system has it, and nobody. */
    }
  };
  const theme = kept("localStorage", "hoist-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;

  const token = kept("sessionStorage", "hoist-token"), control = new AbortController();
  const headers = { Accept: "text/event-stream", ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = fetch("v1/events", { headers, cache: "no-store", redirect: "error", signal: control.signal });
  answer.catch(() => {}); /* feed.js says so. */
  window.hoistEarly = { control, answer };
})();
