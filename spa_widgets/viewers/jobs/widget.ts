/** JobPanel, SessionTree and JobView: the view. */
import type { RenderProps } from "@anywidget/types";
import { FormView } from "../form/form.ts";
import { h } from "../kit/dom.ts";
import { Frame } from "../kit/frame.ts";
import { DetailView, type Details } from "./details.ts";
import { ExportView } from "./export.ts";
import { JobList } from "./list.ts";
import { QueueView } from "./queue.ts";
import { found, hasEnded, size, titleOf, type Row } from "./row.ts";
import { Tree } from "./tree.ts";

class JobsView {
  private empty = h("div", { class: "spa-wait" });
  private list: JobList;
  private tree: Tree;
  private detail: DetailView;
  private exports: ExportView;
  private summary = h("span", { class: "spa-dim" });
  private said = h("div", { class: "spa-sr", role: "status", "aria-live": "polite" });
  private states = new Map<string, string>();

  constructor(private frame: Frame) {
    const { t, link } = frame;
    const single = link.get<boolean>("single");
    this.list = new JobList(frame, single);
    this.tree = new Tree(frame, () => this.update());
    this.exports = new ExportView(frame);
    this.detail = new DetailView(frame, (name) => this.exports.choose(name));
    if (!single) frame.root.append(this.bar());
    const close = h("button", { type: "button", onclick: () => frame.guard(link.ask("close_form")) }, t("close"));
    const form = new FormView(frame, [close]);
    frame.root.append(this.said, this.empty, this.list.element, this.tree.element, new QueueView(frame).element, form.element, this.detail.element, this.exports.element);
    form.element.classList.add("spa-form-inside");
    link.watch(["schema"], () => { if (link.get<{ step?: string }>("schema")?.step) form.element.scrollIntoView?.({ block: "nearest" }); });
    link.watch(["jobs", "show", "newest_first", "search"], () => this.update());
    link.watch(["selected", "details"], () => this.paintDetails());
    frame.addKeys([
      { keys: ["ArrowDown"], label: t("key_job"), act: () => this.step(1) },
      { keys: ["ArrowUp"], label: t("key_job"), act: () => this.step(-1) },
      { keys: ["t"], label: t("key_tree"), act: () => link.set("show", link.get("show") === "tree" ? "list" : "tree") },
      { keys: ["e"], label: t("key_export"), act: () => this.exports.choose(link.get<string>("selected") ?? "") },
      { keys: ["/"], label: t("search"), act: () => frame.root.querySelector<HTMLInputElement>("input[type=search]")?.focus() },
    ]);
  }

  private bar(): HTMLElement {
    const { t, link } = this.frame;
    const mode = h("select", { "aria-label": t("draw_as"), onchange: () => link.set("show", mode.value) }, h("option", { value: "list" }, t("list")), h("option", { value: "tree" }, t("tree")));
    link.watch(["show"], () => { mode.value = link.get("show"); });
    const search = h("input", { type: "search", placeholder: t("search"), "aria-label": t("search"), spellcheck: "false", oninput: () => link.set("search", search.value) });
    link.watch(["search"], () => { if (document.activeElement !== search) search.value = link.get("search") ?? ""; });
    return h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("job_panel")), mode, search, this.summary, h("span", { class: "spa-grow" }), h("button", { onclick: () => this.exports.choose(""), title: t("export_help"), "data-act": "export_all" }, t("export")), this.frame.ends());
  }

  private rows(): Row[] {
    const search = this.frame.link.get<string>("search") ?? "";
    const rows = (this.frame.link.get<Row[]>("jobs") ?? []).filter((row) => found(row, search));
    return this.frame.link.get("newest_first") ? rows.reverse() : rows;
  }

  private step(by: number): void {
    const rows = this.rows();
    const place = rows.findIndex((row) => row.name === this.frame.link.get("selected")) + by;
    if (!rows[place]) return;
    this.frame.link.set("selected", rows[place].name);
    this.list.focus(rows[place].name);
  }

  private update(): void {
    const { t, link, language } = this.frame;
    const all = link.get<Row[]>("jobs") ?? [];
    const rows = this.rows();
    const asTree = link.get("show") === "tree";
    const search = link.get<string>("search") ?? "";
    this.empty.textContent = all.length ? t("nothing_found") : t("no_jobs");
    this.empty.style.display = rows.length ? "none" : "";
    this.list.element.style.display = asTree || !rows.length ? "none" : "";
    this.tree.element.style.display = asTree && rows.length ? "" : "none";
    if (asTree) this.tree.paint(all, (row) => found(row, search));
    else this.list.paint(rows);
    const going = all.filter((row) => !hasEnded(row.status)).length;
    const text = t("jobs_summary", { count: all.length, going, size: size(all.reduce((sum, row) => sum + row.bytes, 0)) });
    if (this.summary.textContent !== text) this.summary.textContent = text;
    for (const row of all) {
      const before = this.states.get(row.name);
      if (before && before !== row.status) this.said.textContent = `${row.name} ${titleOf(row, language)}: ${t(row.status)}`;
      this.states.set(row.name, row.status);
    }
  }

  private paintDetails(): void {
    const { link } = this.frame;
    this.list.mark();
    if (link.get("show") === "tree") this.update();
    this.detail.paint(link.get<Details>("details"), link.get<string>("selected"));
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "job_panel");
    frame.whenReady(() => new JobsView(frame));
    return frame.close;
  },
};
