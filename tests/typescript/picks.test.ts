import { expect, test } from "vitest";
import { byMicrograph, countKept, histogram2D, type Limits, outside, type Scores, span } from "../../spa_widgets/steps/inspect_picks/scores.ts";
import { nearest } from "../../spa_widgets/steps/manual_picks/widget.ts";
import { pinchOf } from "../../spa_widgets/viewers/kit/gestures.ts";
import { LatestOf } from "../../spa_widgets/viewers/kit/latest.ts";
import { Mark, placed } from "../../spa_widgets/viewers/kit/marks.ts";

const open: Limits = { min_ncc: null, max_ncc: null, min_power: null, max_power: null };

function scoresOf(ncc: number[], power: number[], micrograph?: number[], truth: number[] = []): Scores {
  const zeros = new Float32Array(ncc.length);
  return { ncc: Float32Array.from(ncc), power: Float32Array.from(power), x: zeros, y: zeros, micrograph: Int32Array.from(micrograph ?? ncc.map(() => 0)), truth: Int32Array.from(truth), truthCount: 4 };
}

test("thresholds are compared as the scores are stored, and unknown scores never reject", () => {
  const scores = scoresOf([0.1, 0.5, Number.NaN], [1, 9, 2]);
  const kept = (limits: Partial<Limits>): number[] => [...countKept(scores, { ...open, ...limits }, 1).kept];
  expect(kept({})).toEqual([1, 1, 1]);
  expect(kept({ min_ncc: 0.1 })).toEqual([1, 1, 1]);
  expect(kept({ min_ncc: 0.2, max_power: 5 })).toEqual([0, 0, 1]);
  expect(kept({ max_ncc: 0.1 })).toEqual([1, 0, 1]);
  expect(span(new Float32Array([Number.NaN]))).toEqual([0, 1]);
});

test("picks are counted on each micrograph and against the truth", () => {
  const scores = scoresOf([0.4, 0.2, 0.3, 0.5], [1, 1, 1, 1], [0, 0, 1, 2], [7, -1, -1, 2]);
  const { total, counts, hits } = countKept(scores, { ...open, min_ncc: 0.25 }, 3);
  expect([total, [...counts], hits]).toEqual([3, [1, 1, 1], 2]);
  expect(byMicrograph(scores.micrograph, 3)).toEqual([[0, 1], [2], [3]]);
});

test("rejected picks are ranked by how far outside the limits they are", () => {
  const scores = scoresOf([0.4, 0.2, 0.29, 0.5, Number.NaN, 0.95], [1, 1, 1, 9, 1, 1]);
  const far = [0, 1, 2, 3, 4, 5].map((index) => outside(scores, index, { ...open, min_ncc: 0.3, max_ncc: 0.9, max_power: 5 }, [0, 1, 0, 10]));
  [0, 0.1, 0.01, 0.4, 0, 0.05].forEach((expected, index) => expect(far[index]).toBeCloseTo(expected, 5));
});

test("the histogram has large powers on top and leaves out what is beyond its range", () => {
  const bins = histogram2D(scoresOf([0.1, 0.9, 0.9, 5], [9, 1, 1, 1]), [0, 1, 0, 10], 2, 2);
  expect([...bins]).toEqual([1, 0, 0, 2]);
});

test("only circles that are seen are drawn, in device pixels", () => {
  const marks = new Float32Array([50, 50, Mark.Plain, 500, 50, Mark.Plain, 50, 50, Mark.Suggested]);
  const view = { centre: [50, 50] as [number, number], zoom: 2, width: 200, height: 100, ratio: 2 };
  expect(placed(marks, Mark.Plain, view, 10)).toEqual([200, 100]);
  expect(placed(marks, Mark.Chosen, view, 10)).toEqual([]);
});

test("two fingers zoom about their middle and move with it", () => {
  const { factor, middle, shift } = pinchOf([[0, 0], [10, 0]], [[0, 10], [20, 10]]);
  expect([factor, middle, shift]).toEqual([2, [10, 10], [5, 10]]);
});

test("the nearest point counts only within reach", () => {
  const points = new Float32Array([10, 10, 20, 10]);
  expect([nearest(points, 16, 10, 8), nearest(points, 100, 10, 8), nearest(new Float32Array(0), 0, 0, 8)]).toEqual([1, -1, -1]);
});

test("what was used longest ago is forgotten first", () => {
  const kept = new LatestOf<number>(2);
  kept.set("a", 1);
  kept.set("b", 2);
  kept.get("a");
  kept.set("c", 3);
  expect([kept.get("a"), kept.get("b"), kept.get("c")]).toEqual([1, undefined, 3]);
});
