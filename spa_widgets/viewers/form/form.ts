/** The fields of a step, made from its description; the kernel holds what stands in them and says what is wrong. */
import { h } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";

export interface Field { name: string; label: string; label_ja: string; unit: string; help: string; help_ja: string; group: string; kind: string; choices: string[]; may_be_none: boolean; required: boolean; default: string | boolean; low: number | null; high: number | null; low_is_open: boolean; high_is_open: boolean }
interface InputField { name: string; label: string; label_ja: string; kind: string; optional: boolean; help: string; help_ja: string }
interface Schema { step: string; title: string; title_ja: string; summary: string; summary_ja: string; fields: Field[]; inputs: InputField[]; devices: string[] }
interface Choice { value: string; job: string; title: string; title_ja: string; output: string; state: string }
interface Filled { values: Record<string, string | boolean>; inputs: Record<string, string>; choices: Record<string, Choice[]>; problems: Record<string, string>; problems_ja: Record<string, string>; changed: string[]; code: string; device: string; job: string }

interface Finding { text: string; text_ja: string; fix: Record<string, string | number | boolean> }

const PATH = "\u0000path";

/** The bounds of a number for people: "4 … 200", "> 0", "≤ 1". */
export function bounds(field: Pick<Field, "low" | "high" | "low_is_open" | "high_is_open">): string {
  const { low, high, low_is_open, high_is_open } = field;
  if (low !== null && high !== null && !low_is_open && !high_is_open) return `${low} … ${high}`;
  const parts = [];
  if (low !== null) parts.push(`${low_is_open ? ">" : "≥"} ${low}`);
  if (high !== null) parts.push(`${high_is_open ? "<" : "≤"} ${high}`);
  return parts.join(", ");
}

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
interface Shown { row: HTMLElement; control: Control; reset?: HTMLButtonElement; problem: HTMLElement; path?: HTMLInputElement }

export class FormView {
  readonly element = h("form", { class: "spa-form", onsubmit: (event: Event) => { event.preventDefault(); this.run(); } });
  private shown = new Map<string, Shown>();
  private code = h("div", { class: "spa-code", style: "white-space: pre-wrap; max-height: 88px" });
  private together = h("div", { class: "spa-problem", role: "alert" });
  private findings = h("div", { class: "spa-findings", role: "status", "aria-live": "polite" });
  private runButton = h("button", { class: "spa-primary", type: "submit" });
  private device = h("select");
  private count = h("span", { class: "spa-dim" });
  private step = "";
  private typed = new Set<EventTarget>(); // what stands in these is not told yet, and never overwritten

  constructor(private frame: Frame, private extra: HTMLElement[] = []) {
    const { link } = frame;
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      const target = event.target as HTMLElement;
      const runs = event.ctrlKey || event.metaKey;
      if (!runs && !target.matches("input:not([type=checkbox])")) return;
      event.preventDefault();
      if (this.typed.has(target)) target.dispatchEvent(new Event("change"));
      if (runs) this.run();
    });
    this.element.addEventListener("input", (event) => this.typed.add(event.target!));
    this.element.addEventListener("change", (event) => this.typed.delete(event.target!), { capture: true });
    this.element.addEventListener("pointerenter", () => this.refresh());
    this.device.addEventListener("change", () => this.set("device", this.device.value));
    link.watch(["schema"], () => this.build());
    link.watch(["filled"], () => this.update());
    link.watch(["findings", "schema"], () => this.tellFindings());
  }

  /** What looks wrong about the data: it does not keep anybody from running the step. */
  private tellFindings(): void {
    const { t, link } = this.frame;
    const found = link.get<Finding[]>("findings") ?? [];
    this.findings.setAttribute("aria-label", t("findings", { count: found.length }));
    this.findings.replaceChildren(...found.map((each, number) => h("div", { class: "spa-finding" },
      h("span", { "aria-hidden": "true" }, "⚠"), h("span", { class: "spa-grow" }, this.words(each, "text")),
      Object.keys(each.fix).length ? h("button", { type: "button", onclick: () => this.frame.guard(link.ask("form_fix", { number })) }, this.remedy(each.fix)) : "")));
  }

  private remedy(fix: Finding["fix"]): string {
    const { t, link } = this.frame;
    const fields = link.get<Schema>("schema")?.fields ?? [];
    return Object.entries(fix).map(([name, value]) => {
      const field = fields.find((each) => each.name === name);
      const label = field ? this.words(field, "label") : name;
      if (typeof value === "boolean") return t(value ? "switch_on" : "switch_off", { label });
      return t("set_to", { label, value: `${value}${field?.unit ? ` ${field.unit}` : ""}` });
    }).join(", ");
  }

  private words(entry: object, name: string): string {
    const texts = entry as Record<string, string>;
    return this.frame.language === "ja" ? texts[`${name}_ja`] : texts[name];
  }

  private refresh(): void {
    if (this.step) this.frame.link.ask("form_choices").catch(() => undefined);
  }

  private set(name: string, value: string | boolean): void {
    this.frame.guard(this.frame.link.ask("form_set", { name, value }));
  }

  private run(): void {
    const { link, t } = this.frame;
    this.frame.guard(link.ask<{ job: string }>("form_run").then(({ content }) => this.frame.say(t("submitted", { job: content.job }))));
  }

  private build(): void {
    const schema = this.frame.link.get<Schema>("schema");
    const { t } = this.frame;
    this.shown.clear();
    this.typed.clear();
    this.step = schema?.step ?? "";
    this.element.style.display = this.step ? "" : "none";
    if (!this.step) return this.element.replaceChildren();
    const fieldset = (fields: Field[]): HTMLElement => h("div", { class: "spa-form-fields" }, ...fields.map((field) => this.field(field)));
    const basic = schema.fields.filter((field) => field.group !== "advanced");
    const advanced = schema.fields.filter((field) => field.group === "advanced");
    this.device.replaceChildren(...schema.devices.map((name) => h("option", { value: name }, name)));
    this.device.setAttribute("aria-label", t("device"));
    this.runButton.textContent = t("run");
    this.element.setAttribute("aria-label", this.words(schema, "title"));
    this.element.replaceChildren(
      h("div", { class: "spa-form-head" }, h("b", {}, this.words(schema, "title")), h("span", { class: "spa-dim" }, this.words(schema, "summary"))),
      schema.inputs.length ? h("div", { class: "spa-form-fields" }, ...schema.inputs.map((input) => this.input(input))) : "",
      fieldset(basic),
      advanced.length ? h("details", {}, h("summary", {}, t("advanced"), " ", this.count), fieldset(advanced)) : "",
      this.together, this.findings,
      h("div", { class: "spa-form-foot" }, this.runButton, h("label", { class: "spa-slider" }, h("span", {}, t("device")), this.device),
        h("button", { type: "button", onclick: () => this.frame.guard(this.frame.link.ask("form_reset", { names: [] })) }, t("reset_all")), ...this.extra),
      this.code);
  }

  private frameOf(name: string, label: string, control: Control, help: string, besides: (HTMLElement | string)[] = []): Shown {
    const id = `spa-${this.step}-${name}-${Math.random().toString(36).slice(2, 7)}`;
    const problem = h("div", { class: "spa-problem", id: `${id}-problem`, role: "alert" });
    control.id = id;
    control.setAttribute("aria-describedby", `${id}-problem ${id}-help`);
    const row = h("div", { class: "spa-field", "data-field": name },
      h("label", { for: id }, label), h("div", { class: "spa-control" }, control, ...besides),
      problem, h("div", { class: "spa-dim spa-field-help", id: `${id}-help` }, help));
    const shown = { row, control, problem };
    this.shown.set(name, shown);
    return shown;
  }

  private field(field: Field): HTMLElement {
    const { t } = this.frame;
    const control = this.control(field);
    const reset = h("button", { type: "button", class: "spa-icon", title: t("reset_to", { value: String(field.default === "" ? t("empty") : field.default) }), "aria-label": `${t("reset")}: ${this.words(field, "label")}`, onclick: () => this.frame.guard(this.frame.link.ask("form_reset", { names: [field.name] })) }, "↺");
    const shown = this.frameOf(field.name, this.words(field, "label") + (field.required ? " *" : ""), control, this.words(field, "help"), [h("span", { class: "spa-dim" }, field.unit), h("span", { class: "spa-dim spa-bounds" }, bounds(field)), reset]);
    shown.reset = reset;
    shown.row.title = field.name;
    control.addEventListener("change", () => this.set(field.name, field.kind === "boolean" ? (control as HTMLInputElement).checked : control.value));
    return shown.row;
  }

  private control(field: Field): Control {
    if (field.kind === "boolean") return h("input", { type: "checkbox" });
    if (field.kind === "choice") return h("select", {}, ...field.choices.map((choice) => h("option", { value: choice }, choice)));
    if (field.kind === "structure") return h("textarea", { rows: 2, spellcheck: "false" });
    const number = field.kind === "number" || field.kind === "integer";
    const hint = field.may_be_none ? this.frame.t("automatic") : field.kind === "list" ? "1, 2, 3" : "";
    return h("input", { type: "text", class: number ? "spa-number" : "", inputmode: field.kind === "integer" ? "numeric" : number ? "decimal" : "text", placeholder: hint, autocomplete: "off", spellcheck: "false" });
  }

  private input(input: InputField): HTMLElement {
    const { t } = this.frame;
    const select = h("select");
    const path = h("input", { type: "text", placeholder: t("path_or_pattern"), "aria-label": `${this.words(input, "label")}: ${t("path_or_pattern")}`, spellcheck: "false", style: "display: none" });
    const shown = this.frameOf(input.name, this.words(input, "label") + (input.optional ? "" : " *"), select, this.words(input, "help"), [path]);
    shown.path = path;
    select.addEventListener("change", () => {
      path.style.display = select.value === PATH ? "" : "none";
      if (select.value === PATH) path.focus();
      else this.set(input.name, select.value);
    });
    select.addEventListener("focus", () => this.refresh());
    path.addEventListener("change", () => this.set(input.name, path.value));
    return shown.row;
  }

  private update(): void {
    const { t, link } = this.frame;
    const filled = link.get<Filled>("filled");
    const schema = link.get<Schema>("schema");
    if (!this.step || !filled?.values) return;
    const problems = this.frame.language === "ja" ? filled.problems_ja : filled.problems;
    for (const [name, { row, control, problem, reset, path }] of this.shown) {
      const text = problems[name] ?? "";
      problem.textContent = text;
      control.setAttribute("aria-invalid", String(Boolean(text)));
      const changed = filled.changed.includes(name);
      row.classList.toggle("spa-changed", changed);
      if (reset) reset.style.visibility = changed ? "" : "hidden";
      if (path) this.choose(control as HTMLSelectElement, path, filled.inputs[name], filled.choices[name] ?? []);
      else if (control.type === "checkbox") (control as HTMLInputElement).checked = Boolean(filled.values[name]);
      else if (!this.typed.has(control)) { const value = String(filled.values[name] ?? ""); if (control.value !== value) control.value = value; }
    }
    this.together.textContent = problems[""] ?? "";
    const hidden = schema.fields.filter((field) => field.group === "advanced");
    const changed = hidden.filter((field) => filled.changed.includes(field.name)).length;
    this.count.textContent = changed ? `(${t("changed_count", { count: changed })})` : "";
    const details = this.element.querySelector("details");
    if (details && hidden.some((field) => filled.problems[field.name])) details.open = true;
    this.code.textContent = filled.code;
    this.device.value = filled.device;
    this.runButton.disabled = Object.keys(filled.problems).length > 0;
    this.runButton.title = this.runButton.disabled ? t("mend_first") : "Ctrl+Enter";
    this.element.dataset.job = filled.job;
  }

  private choose(select: HTMLSelectElement, path: HTMLInputElement, value: string, choices: Choice[]): void {
    const { t } = this.frame;
    const options = choices.map((choice) => ({ value: choice.value, text: `${choice.job} ${this.words(choice, "title")} · ${choice.output}${choice.state === "finished" ? "" : ` (${t(choice.state)})`}` }));
    const wanted = [{ value: "", text: t("choose") }, ...options, { value: PATH, text: t("path_or_pattern") }];
    const have = [...select.options].map((option) => `${option.value}\n${option.text}`).join("\n");
    if (have !== wanted.map((each) => `${each.value}\n${each.text}`).join("\n")) select.replaceChildren(...wanted.map((each) => h("option", { value: each.value }, each.text)));
    const known = !value || options.some((option) => option.value === value);
    if (document.activeElement !== path) {
      select.value = known ? value : PATH;
      path.style.display = known ? "none" : "";
      if (!known && path.value !== value) path.value = value;
    }
  }
}
