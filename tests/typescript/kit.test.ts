import { expect, test, vi } from "vitest";
import { h, human, niceLength, niceTicks, throttle } from "../../spa_widgets/viewers/kit/dom.ts";
import { translator } from "../../spa_widgets/viewers/kit/i18n.ts";
import { floats, Link } from "../../spa_widgets/viewers/kit/link.ts";
import { tickTexts } from "../../spa_widgets/viewers/kit/plot.ts";

class FakeModel {
  sent: any[] = [];
  listeners = new Map<string, Set<(...args: any[]) => void>>();
  constructor(public state: Record<string, unknown> = {}) {}
  get(name: string) { return this.state[name]; }
  set(name: string, value: unknown) { this.state[name] = value; this.fire(`change:${name}`); }
  save_changes() {}
  send(content: unknown) { this.sent.push(content); }
  on(name: string, listener: (...args: any[]) => void) { this.listeners.set(name, (this.listeners.get(name) ?? new Set()).add(listener)); }
  off(name: string, listener: (...args: any[]) => void) { this.listeners.get(name)?.delete(listener); }
  fire(name: string, ...args: unknown[]) { for (const listener of this.listeners.get(name) ?? []) listener(...args); }
}

test("a name that looks like markup stays text", () => {
  const name = "<img src=x onerror=alert(1)>";
  const element = h("div", { title: name }, name);
  expect(element.children.length).toBe(0);
  expect(element.textContent).toBe(name);
});

test("answers find their question, errors are the kernel's sentence", async () => {
  const model = new FakeModel();
  const link = new Link(model as any);
  const first = link.ask("image", { index: 1 });
  const second = link.ask("image", { index: 2 });
  model.fire("msg:custom", { reply: model.sent[1].id, error: "there is no micrograph 2" }, []);
  model.fire("msg:custom", { reply: "someone else's", name: "x" }, []);
  model.fire("msg:custom", { reply: model.sent[0].id, name: "mic" }, [new DataView(new ArrayBuffer(4))]);
  expect((await first).content.name).toBe("mic");
  await expect(second).rejects.toThrow("there is no micrograph 2");
});

test("a closed link leaves no listener and no question open", async () => {
  const model = new FakeModel({ level: 1 });
  const link = new Link(model as any);
  const seen: number[] = [];
  link.watch(["level"], () => seen.push(model.get("level") as number));
  const question = link.ask("volume");
  link.destroy();
  model.set("level", 2);
  await expect(question).rejects.toThrow("closed");
  expect(seen).toEqual([1]);
  expect([...model.listeners.values()].every((set) => set.size === 0)).toBe(true);
});

test("what is expected is shown until the kernel has answered, and is never sent", () => {
  const model = new FakeModel({ selected: [1] });
  const link = new Link(model as any);
  const seen: number[][] = [];
  link.watch(["selected"], () => seen.push(link.get("selected")));
  const [first, second] = [link.expect("selected", [1, 2]), link.expect("selected", [1, 2, 3])];
  model.set("selected", [1, 2]); // the kernel's word to the first
  first();
  expect(link.get("selected")).toEqual([1, 2, 3]);
  second(); // refused: what the kernel says holds
  expect([link.get("selected"), model.get("selected")]).toEqual([[1, 2], [1, 2]]);
  expect(seen).toEqual([[1], [1, 2], [1, 2, 3], [1, 2, 3], [1, 2]]);
});

test("floats are read from a buffer at any offset", () => {
  const buffer = new ArrayBuffer(11);
  const view = new DataView(buffer);
  view.setFloat32(3, 1.5, true);
  view.setFloat32(7, -2, true);
  expect([...floats(new DataView(buffer, 3, 8))]).toEqual([1.5, -2]);
});

test("a throttled call keeps the latest arguments", () => {
  vi.useFakeTimers();
  const calls: number[] = [];
  const call = throttle((value: number) => calls.push(value), 50);
  for (const value of [1, 2, 3]) call(value);
  vi.advanceTimersByTime(60);
  call(4);
  vi.advanceTimersByTime(60);
  expect(calls).toEqual([3, 4]);
  vi.useRealTimers();
});

test("labels in two languages", () => {
  expect(translator("en")("goal", { count: 3, goal: 100 })).toBe("3 of 100 particles");
  expect(translator("ja")("goal", { count: 3, goal: 100 })).toBe("3 / 100 粒子");
});

test("numbers, ticks and scale bars for people", () => {
  expect([human(0.123456), human(27680), human(Number.NaN)]).toEqual(["0.123", "27,680", "–"]);
  expect(niceTicks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(niceTicks(0.31, 0.49, 1.9), "one number tells no scale").toEqual([0.35, 0.4, 0.45]);
  expect(niceTicks(6, 9, 1)).toEqual([6, 8]);
  expect(tickTexts([5.05, 5.1])).toEqual(["5.05", "5.10"]);
  expect(tickTexts([0, 50, 100])).toEqual(["0", "50", "100"]);
  expect([niceLength(74), niceLength(499), niceLength(0.3)]).toEqual([50, 200, 0.2]);
});
