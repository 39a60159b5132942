import { expect, test } from "vitest";
import { type Fact, judge, LIMIT_NAMES, type Limits, limitsOf, type Row } from "../../spa_widgets/steps/estimate_ctf/choice.ts";
import { heightColour, mesh, projected } from "../../spa_widgets/steps/estimate_ctf/landscape.ts";
import { inside } from "../../spa_widgets/steps/estimate_ctf/scatter.ts";
import { ordered } from "../../spa_widgets/steps/estimate_ctf/table.ts";
import { largest, passes } from "../../spa_widgets/steps/select_2d/rows.ts";

const NONE = Object.fromEntries(LIMIT_NAMES.map((name) => [name, null])) as Limits;
const micrograph = (name: string, defocus_A: number | null, resolution_A: number | null, fitted = true): Row => ({ name, fitted, defocus_A, resolution_A, astigmatism_A: 0, angle_deg: 0, score: 1, confidence: 1, ice: null });
const rows = [micrograph("m10", 10000, 4), micrograph("m9", 13000, 7), micrograph("m1", 16000, 10), micrograph("m2", null, null, false)];

test("a micrograph is accepted inside the limits unless a person says otherwise", () => {
  expect(judge(rows, NONE, [], [])).toEqual([[], [], [], ["not_fitted"]]);
  const limits = { ...NONE, worst_resolution_A: 7, min_defocus_A: 11000 };
  expect(judge(rows, limits, [], [])).toEqual([["defocus_A"], [], ["resolution_A"], ["not_fitted"]]);
  expect(judge(rows, limits, [2, 3], [1])).toEqual([["defocus_A"], ["by_hand"], [], []]);
  expect(judge(rows, { ...NONE, max_ice: 1 }, [], [])[0]).toEqual(["ice"]);
});

test("a frame becomes the limits that its facts have", () => {
  expect(limitsOf("defocus_A", [1.1, 1.5], "resolution_A", [3, 8])).toEqual({ min_defocus_A: 11000, max_defocus_A: 15000, worst_resolution_A: 8 });
  expect(limitsOf("confidence", [0.5, 1], "ice", [0, 2])).toEqual({ min_confidence: 0.5, max_ice: 2 });
  expect(inside(rows, "defocus_A", [1.1, 1.7], "resolution_A", [3, 8])).toEqual([1]);
});

test("the table is sorted with unknown values last, names by their numbers", () => {
  expect(ordered(rows, "resolution_A", 1)).toEqual([0, 1, 2, 3]);
  expect(ordered(rows, "resolution_A", -1)).toEqual([2, 1, 0, 3]);
  expect(ordered(rows, "name", 1)).toEqual([2, 3, 1, 0]);
  expect(ordered(rows, "ice" as Fact, -1)).toEqual([0, 1, 2, 3]);
});

test("the landscape is drawn from far to near, high places up", () => {
  const side = 4;
  const slope = Float32Array.from({ length: side * side }, (_, at) => 100 * Math.floor(at / side));
  const quads = mesh(slope, side, 1, 0, 30);
  expect(quads.length).toBe(9);
  expect(quads.every((quad, at) => !at || quad.depth >= quads[at - 1].depth)).toBe(true);
  expect(quads[8].level).toBeGreaterThan(quads[0].level);
  expect(projected(0, 0, 0.5, 20, 30)[1]).toBeLessThan(projected(0, 0, 0, 20, 30)[1]);
  const [x, y] = projected(0.5, 0, 0, 90, 90); // seen from above, a quarter turn
  expect([Math.abs(x) < 1e-9, y]).toEqual([true, 0.5]);
  const flat = mesh(new Float32Array(side * side).map((_, at) => at % 2), side, 1, 0, 0);
  expect(Math.max(...flat.flatMap(({ points }) => points.map(([, height]) => Math.abs(height))))).toBeLessThan(0.01);
  expect([heightColour(0), heightColour(2)]).toEqual(["rgb(68,1,84)", "rgb(253,231,37)"]);
});

test("filters hide what they cannot judge", () => {
  const row = { number: 1, count: 20, resolution_A: null, effective_classes: 1.5 };
  const open = { min_count: 0, worst_resolution_A: null, most_effective_classes: null };
  expect([passes(row, open), passes(row, { ...open, worst_resolution_A: 30 }), passes(row, { ...open, min_count: 21 }), passes(row, { ...open, most_effective_classes: 1.5 })]).toEqual([true, false, false, true]);
  expect([largest([row], "count"), largest([row], "resolution_A"), largest([{ ...row, effective_classes: 1.51 }], "effective_classes")]).toEqual([20, 0, 1.6]);
});
