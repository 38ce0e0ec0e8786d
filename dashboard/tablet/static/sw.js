// Keeps the page itself, so that it opens without a line. What it shows comes from the box and is never kept here.
const SHELL = "yingke-tablet-1";
const FILES = ["/", "/manifest.webmanifest", "/static/style.css", "/static/icon.svg",
  "/static/app.js", "/static/api.js", "/static/cards.js", "/static/dialogs.js", "/static/dom.js", "/static/words.js"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});
self.addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (event.request.method !== "GET" || !FILES.includes(pathname)) return;
  // The newest from the box; without a line, what was there last.
  event.respondWith(fetch(event.request).then((answer) => {
    if (answer.ok) {
      const copy = answer.clone();
      caches.open(SHELL).then((cache) => cache.put(event.request, copy));
    }
    return answer;
  }).catch(() => caches.match(event.request)));
});
