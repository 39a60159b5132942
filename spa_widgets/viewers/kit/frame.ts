/** What every widget shares: its root element, theme, language, keyboard with a help page on `?`, messages, waiting text. */
import type { AnyModel } from "@anywidget/types";
import { h } from "./dom.ts";
import { openDialog } from "./dialog.ts";
import { chooseLanguage, translator, type Language } from "./i18n.ts";
import { Link } from "./link.ts";
import style from "./style.css";

export interface Key {
  keys: string[];
  label: string;
  act?: (event: KeyboardEvent) => void;
}

export type Translate = ReturnType<typeof translator>;

export class Frame {
  readonly root: HTMLDivElement;
  readonly link: Link;
  readonly t: Translate;
  readonly language: Language;
  private keys: Key[] = [];
  private cleanups: (() => void)[] = [];
  private status: HTMLElement;
  private closeHelp: (() => void) | null = null;

  constructor(model: AnyModel<any>, el: HTMLElement, title: string) {
    this.link = new Link(model);
    this.language = chooseLanguage(this.link.get<string>("language") ?? "auto");
    this.t = translator(this.language);
    this.status = h("div", { class: "spa-sr", role: "status", "aria-live": "polite" });
    this.root = h("div", {
      class: "spa", tabIndex: 0, role: "group", "aria-label": this.t(title), "data-lm-suppress-shortcuts": "true",
      onkeydown: (event: KeyboardEvent) => this.onKey(event),
    });
    this.root.append(h("style", { textContent: style }), this.status);
    el.append(this.root);
    this.followTheme();
    this.cleanups.push(() => this.link.destroy());
    // JupyterLab can send the first message of a widget to the kernel's main thread and later ones to another, so the
    // first is this, which nobody waits for
    model.send({ hello: true });
  }

  /** Is the page dark? From the luminance of the colour behind the widget, so it works in every host. */
  private followTheme(): void {
    const look = (): void => {
      const parts = getComputedStyle(this.root).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
      this.root.classList.toggle("spa-dark", 0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2] < 110);
    };
    const observer = new MutationObserver(() => setTimeout(look, 60));
    observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "data-jp-theme-light", "class"] });
    this.cleanups.push(() => observer.disconnect());
    setTimeout(look, 0);
  }

  /** Run when the view is removed. */
  onClose(cleanup: () => void): void {
    this.cleanups.push(cleanup);
  }

  close = (): void => {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.root.remove();
  };

  /** Add keys to the keyboard map and to the help page. */
  addKeys(keys: Key[]): void {
    this.keys.push(...keys);
  }

  private onKey(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (target.matches("input:not([type=range]), select, textarea")) return;
    if (event.key === "?") return this.toggleHelp(event);
    const name = `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.shiftKey && event.key.length > 1 ? "Shift+" : ""}${event.key.length === 1 ? event.key.toLowerCase() : event.key}`;
    if (target.matches("input[type=range]") && name.startsWith("Arrow")) return;
    if (target.matches("button") && (name === " " || name === "Enter")) return;
    const key = this.keys.find((candidate) => candidate.act && candidate.keys.includes(name));
    if (!key) return;
    event.preventDefault();
    event.stopPropagation();
    key.act!(event);
  }

  /** Show or hide the page that lists every key and gesture. */
  toggleHelp(event?: Event): void {
    event?.preventDefault();
    event?.stopPropagation();
    if (this.root.querySelector(".spa-help")) return this.closeHelp?.();
    const shown = (key: string): string => ({ " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" })[key] ?? key;
    const told = new Map<string, string[]>(); // keys that do the same share a line
    for (const { keys, label } of this.keys) told.set(label, [...(told.get(label) ?? []), ...keys]);
    const rows = [...told].map(([label, keys]) => {
      const cell = h("td");
      keys.forEach((name, index) => cell.append(index ? " " : "", h("kbd", {}, shown(name))));
      return h("tr", {}, cell, h("td", {}, label));
    });
    const close = h("button", { onclick: () => this.closeHelp?.() }, this.t("close"));
    this.closeHelp = openDialog(this.root, this.t("help"), [h("table", {}, h("tbody", {}, ...rows))], [close]);
  }

  /** What ends every bar: the decision as Python, and the help. */
  ends(): HTMLElement {
    return h("span", { class: "spa-ends" }, this.codeButton(), this.helpButton());
  }

  private helpButton(): HTMLButtonElement {
    return h("button", { class: "spa-icon", title: `${this.t("help")} (?)`, "aria-label": this.t("help"), onclick: () => this.toggleHelp() }, "?");
  }

  /** A button that shows the decision as Python. */
  private codeButton(): HTMLButtonElement {
    const show = async (): Promise<void> => {
      const { content } = await this.link.ask<{ code: string }>("code");
      const close = h("button", { class: "spa-primary", onclick: () => shut() }, this.t("close"));
      const copy = h("button", { onclick: () => void navigator.clipboard?.writeText(content.code).then(() => this.say(this.t("copied"))) }, this.t("copy"));
      const shut = openDialog(this.root, this.t("code_title"), [h("div", { class: "spa-code", tabIndex: 0 }, content.code)], [copy, close]);
    };
    return h("button", { title: this.t("code_title"), onclick: () => this.guard(show()) }, "</> Python");
  }

  /** A short message at the foot; read out by screen readers. */
  say(text: string, isError = false): void {
    this.status.textContent = text;
    this.root.querySelector(".spa-toast")?.remove();
    const toast = h("div", { class: `spa-toast${isError ? " spa-error" : ""}`, "aria-hidden": "true" }, text);
    this.root.append(toast);
    setTimeout(() => toast.remove(), isError ? 9000 : 2600);
  }

  /** Show the kernel's sentence when a question fails. */
  guard(promise: Promise<unknown>): void {
    promise.catch((error: Error) => {
      if (error.message !== "closed") this.say(error.message, true);
    });
  }

  /** Show "waiting for …" until the input job is done, then build the view (once). */
  whenReady(build: () => void): void {
    const text = h("div", { class: "spa-wait", role: "status" });
    let built = false;
    this.link.watch(["waiting"], () => {
      const waiting = this.link.get<string>("waiting");
      text.textContent = waiting;
      if (waiting && !built) this.root.append(text);
      if (waiting || built) return;
      built = true;
      text.remove();
      build();
    });
  }
}
