import { expect, test } from "vitest";
import { FormView, bounds } from "../../spa_widgets/viewers/form/form.ts";
import { ExportView } from "../../spa_widgets/viewers/jobs/export.ts";
import { Frame } from "../../spa_widgets/viewers/kit/frame.ts";
import { lines } from "../../spa_widgets/viewers/sweep/chart.ts";

class FakeModel {
  sent: any[] = [];
  listeners = new Map<string, Set<() => void>>();
  constructor(public state: Record<string, any>) {}
  get(name: string) { return this.state[name]; }
  set(name: string, value: unknown) { this.state[name] = value; for (const listener of this.listeners.get(`change:${name}`) ?? []) listener(); }
  save_changes() {}
  send(content: any) { this.sent.push(content); }
  on(name: string, listener: () => void) { this.listeners.set(name, (this.listeners.get(name) ?? new Set()).add(listener)); }
  off() {}
}

const words = { label: "Low-pass", label_ja: "ローパス", help: "Resolution.", help_ja: "分解能。", unit: "Å", group: "basic", choices: [], may_be_none: false, required: false, low: 4, high: 200, low_is_open: false, high_is_open: false };
const hostile = "<img src=x onerror=alert(1)>";

function form(language = "en") {
  const model = new FakeModel({
    language,
    schema: { step: "pick", title: "Picker", title_ja: "ピック", summary: "", summary_ja: "", devices: ["auto", "cpu"],
      inputs: [{ name: "micrographs", label: "Micrographs", label_ja: "顕微鏡写真", kind: "micrographs", optional: false, help: "", help_ja: "" }],
      fields: [{ ...words, name: "low_pass_A", kind: "number", default: "20" }, { ...words, name: "ring", label: "Ring", kind: "boolean", default: false, group: "advanced", unit: "", low: null, high: null }] },
    filled: { values: { low_pass_A: "20", ring: false }, inputs: { micrographs: "J1/m.star" }, choices: { micrographs: [{ value: "J1/m.star", job: "J1", title: hostile, title_ja: hostile, output: "micrographs", state: "running" }] }, problems: {}, problems_ja: {}, changed: [], code: hostile, device: "cpu", job: "" },
  });
  const frame = new Frame(model as any, document.body, "step_form");
  const view = new FormView(frame);
  frame.root.append(view.element);
  return { model, element: view.element };
}

test("a form asks the kernel for every change and shows what it answers", () => {
  const { model, element } = form();
  const field = element.querySelector<HTMLInputElement>("[data-field=low_pass_A] input")!;
  field.value = "2";
  field.dispatchEvent(new Event("change"));
  expect(model.sent.at(-1)).toMatchObject({ ask: "form_set", args: { name: "low_pass_A", value: "2" } });
  model.set("filled", { ...model.state.filled, values: { low_pass_A: "2", ring: true }, changed: ["low_pass_A", "ring"], problems: { low_pass_A: "Too small.", ring: "No." } });
  expect(field.getAttribute("aria-invalid")).toBe("true");
  expect(element.querySelector("[data-field=low_pass_A] [role=alert]")!.textContent).toBe("Too small.");
  expect(element.querySelector<HTMLElement>("[data-field=low_pass_A]")!.classList.contains("spa-changed")).toBe(true);
  expect(element.querySelector<HTMLButtonElement>("button[type=submit]")!.disabled).toBe(true);
  expect(element.querySelector("details")!.open).toBe(true); // a problem is never hidden
  element.querySelector<HTMLButtonElement>("[data-field=low_pass_A] button")!.click();
  expect(model.sent.at(-1)).toMatchObject({ ask: "form_reset", args: { names: ["low_pass_A"] } });
});

test("what a person is typing is not overwritten by an answer to something earlier", () => {
  const { model, element } = form();
  const field = element.querySelector<HTMLInputElement>("[data-field=low_pass_A] input")!;
  field.value = "25";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  model.set("filled", { ...model.state.filled, changed: ["ring"] });
  expect(field.value).toBe("25");
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true }));
  expect(model.sent.slice(-2).map((message) => message.ask)).toEqual(["form_set", "form_run"]);
  model.set("filled", { ...model.state.filled, values: { low_pass_A: "30", ring: false } });
  expect(field.value).toBe("30");
});

test("inputs are chosen from results or given as a path; hostile titles stay text", () => {
  const { model, element } = form();
  const select = element.querySelector<HTMLSelectElement>("[data-field=micrographs] select")!;
  expect([...select.options].map((option) => option.text)[1]).toBe(`J1 ${hostile} · micrographs (running)`);
  expect(select.value).toBe("J1/m.star");
  expect(element.querySelector("img")).toBeNull();
  const path = element.querySelector<HTMLInputElement>("[data-field=micrographs] input")!;
  model.set("filled", { ...model.state.filled, inputs: { micrographs: "/data/x.star" } });
  expect([path.style.display, path.value]).toEqual(["", "/data/x.star"]);
});

test.each(["en", "ja"])("what looks wrong is told, with what mends it, and keeps nobody from running (%s)", (language) => {
  const { model, element } = form(language);
  const place = element.querySelector<HTMLElement>(".spa-findings")!;
  expect([place.children.length, place.getAttribute("role"), place.getAttribute("aria-live")]).toEqual([0, "status", "polite"]);
  model.set("findings", [{ text: `Odd ${hostile}.`, text_ja: "おかしい。", fix: { low_pass_A: 25 } }, { text: "Odd too.", text_ja: "これも。", fix: {} }, { text: "Ring.", text_ja: "リング。", fix: { ring: true } }]);
  const [first, second, third] = place.children;
  expect(first.querySelector(".spa-grow")!.textContent).toBe(language === "ja" ? "おかしい。" : `Odd ${hostile}.`);
  expect(element.querySelector("img")).toBeNull();
  expect(place.getAttribute("aria-label")).toContain("3");
  expect(first.querySelector("button")!.textContent).toBe(language === "ja" ? "ローパスを 25 Å にする" : "Set Low-pass to 25 Å");
  expect(second.querySelector("button")).toBeNull();
  expect(third.querySelector("button")!.textContent).toBe(language === "ja" ? "ローパスを入れる" : "Switch on: Ring");
  expect(element.querySelector<HTMLButtonElement>("button[type=submit]")!.disabled).toBe(false);
  first.querySelector("button")!.click();
  expect(model.sent.at(-1)).toMatchObject({ ask: "form_fix", args: { number: 0 } });
  model.set("findings", []);
  expect(place.children.length).toBe(0);
});

test("labels follow the language", () => {
  const { element } = form("ja");
  expect(element.querySelector("[data-field=low_pass_A] label")!.textContent).toBe("ローパス");
});

test("bounds as people write them", () => {
  const none = { low: null, high: null, low_is_open: false, high_is_open: false };
  expect([bounds(none), bounds({ ...none, low: 4, high: 200 }), bounds({ ...none, low: 0, low_is_open: true }), bounds({ ...none, low: 0, low_is_open: true, high: 1 })]).toEqual(["", "4 … 200", "> 0", "> 0, ≤ 1"]);
});

test("a sweep of two axes has a line for each value of the first", () => {
  const points = [["10", ".2"], ["10", ".3"], ["20", ".2"], ["20", ".3"]].map((values, place) => ({ job: `J${place}`, values }));
  const found = lines(points, 2, (job) => (job === "J3" ? undefined : Number(job.slice(1))));
  expect(found).toEqual([{ name: "10", y: [0, 1] }, { name: "20", y: [2, undefined] }]);
});

test.each([["en", "without micrographs"], ["ja", "顕微鏡写真を除く"]])("what stays out of an archive is chosen with ticks, by keys alone (%s)", (language, label) => {
  const model = new FakeModel({ language, exporting: {}, without_micrographs: false, without_stacks: true });
  const frame = new Frame(model as any, document.body, "job_panel");
  const view = new ExportView(frame);
  frame.root.append(view.element);
  expect(view.element.style.display).toBe("none");
  view.choose("J3");
  expect(view.element.dataset.export).toBe("asking");
  expect(view.element.textContent).toContain("J3");
  const [micrographs, stacks] = view.element.querySelectorAll<HTMLInputElement>("input[type=checkbox]");
  expect([micrographs.parentElement!.textContent, micrographs.checked, stacks.checked]).toEqual([label, false, true]);
  micrographs.click();
  expect(model.state.without_micrographs).toBe(true);
  model.set("without_stacks", false); // from another view, or Python
  expect(stacks.checked).toBe(false);
  expect((document.activeElement as HTMLElement).dataset.act).toBe("write");
  document.activeElement!.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  const asked = () => model.sent.filter((message) => message.ask === "export");
  expect([view.element.style.display, asked()]).toEqual(["none", []]);
  view.choose("");
  (document.activeElement as HTMLElement).click();
  expect(asked()).toMatchObject([{ args: { name: "" } }]);
  model.set("exporting", { state: "running", jobs: [], done: 1, total: 4 });
  view.choose("J3"); // while one is written there is nothing to choose
  expect(view.element.dataset.export).toBe("running");
});
