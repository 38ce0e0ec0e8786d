// The language of a local page: chosen once, kept in this browser, ?lang= goes before it.
// Elements with data-word="key" get the word as their text, data-label="key" as their label for screen readers.
export class Language {
  #words; #show;

  constructor(words, button, show) {
    this.#words = words; this.#show = show;
    const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem("lang");
    this.code = asked in words ? asked : navigator.language.startsWith("zh") ? "zh" : "en";
    button.addEventListener("click", () => {
      this.code = this.code === "en" ? "zh" : "en";
      localStorage.setItem("lang", this.code);
      this.#apply(button);
      this.#show();
    });
    this.#apply(button);
  }

  get words() { return this.#words[this.code]; }

  #apply(button) {
    document.documentElement.lang = this.code === "zh" ? "zh-CN" : "en";
    document.title = this.words.title;
    button.textContent = this.words.other;
    for (const node of document.querySelectorAll("[data-word]")) node.textContent = this.words[node.dataset.word];
    for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", this.words[node.dataset.label]);
  }
}
