/** Which picks lie inside the limits, and what follows from it: counts, precision and recall. Pure functions on typed arrays. */
import type { Range } from "../../viewers/kit/plot.ts";

export const BOUNDS = ["min_ncc", "max_ncc", "min_power", "max_power"] as const;
export type Bound = (typeof BOUNDS)[number];
export type Limits = Record<Bound, number | null>;

/** All candidates; `truth` is the true particle that each stands for (-1: none), empty where the truth is not known. */
export interface Scores { ncc: Float32Array; power: Float32Array; x: Float32Array; y: Float32Array; micrograph: Int32Array; truth: Int32Array; truthCount: number }

export function emptyScores(): Scores {
  const none = (): Float32Array => new Float32Array(0);
  return { ncc: none(), power: none(), x: none(), y: none(), micrograph: new Int32Array(0), truth: new Int32Array(0), truthCount: 0 };
}

/** The limits as the 32-bit numbers that scores are; none is infinite. */
function edges(limits: Limits): [number, number, number, number] {
  const edge = (value: number | null, missing: number): number => (value === null ? missing : Math.fround(value));
  return [edge(limits.min_ncc, -Infinity), edge(limits.max_ncc, Infinity), edge(limits.min_power, -Infinity), edge(limits.max_power, Infinity)];
}

export interface Count { kept: Uint8Array; total: number; counts: Int32Array; hits: number }

/** Look at every pick once. A score that is not known (NaN) never rejects. */
export function countKept(scores: Scores, limits: Limits, micrographs: number): Count {
  const { ncc, power, micrograph, truth } = scores;
  const [low, high, weak, strong] = edges(limits);
  const kept = new Uint8Array(ncc.length);
  const counts = new Int32Array(micrographs);
  let [total, hits] = [0, 0];
  for (let index = 0; index < ncc.length; index++) {
    if (ncc[index] < low || ncc[index] > high || power[index] < weak || power[index] > strong) continue;
    kept[index] = 1;
    total++;
    counts[micrograph[index]]++;
    if (truth.length && truth[index] >= 0) hits++;
  }
  return { kept, total, counts, hits };
}

/** Indices of the picks of each micrograph. */
export function byMicrograph(micrograph: Int32Array, count: number): number[][] {
  const groups: number[][] = Array.from({ length: count }, () => []);
  micrograph.forEach((number, index) => groups[number]?.push(index));
  return groups;
}

/** How far outside the limits a pick is, in parts of the scores' ranges; 0 inside. */
export function outside(scores: Scores, index: number, limits: Limits, [x0, x1, y0, y1]: Range): number {
  const over = (value: number, low: number | null, high: number | null, size: number): number =>
    Number.isNaN(value) ? 0 : Math.max(low === null ? 0 : (low - value) / size, high === null ? 0 : (value - high) / size);
  return Math.max(0, over(scores.ncc[index], limits.min_ncc, limits.max_ncc, x1 - x0), over(scores.power[index], limits.min_power, limits.max_power, y1 - y0));
}

/** Range of the values without the extreme half per cent, a little wider. */
export function span(values: Float32Array): [number, number] {
  const known = values.filter((value) => Number.isFinite(value)).sort();
  if (!known.length) return [0, 1];
  const [low, high] = [known[Math.floor(known.length * 0.002)], known[Math.min(known.length - 1, Math.ceil(known.length * 0.995))]];
  const margin = (high - low || 1) * 0.06;
  return [low - margin, high + margin];
}

/** Counts in bins, `columns` x `rows`, first row on top (largest power); what is not known goes to the middle. */
export function histogram2D(scores: Scores, [x0, x1, y0, y1]: Range, columns: number, rows: number): Float64Array {
  const bins = new Float64Array(columns * rows);
  const place = (value: number, low: number, high: number, count: number): number => (Number.isFinite(value) ? Math.floor(((value - low) / (high - low)) * count) : Math.floor(count / 2));
  for (let index = 0; index < scores.ncc.length; index++) {
    const [column, row] = [place(scores.ncc[index], x0, x1, columns), place(scores.power[index], y0, y1, rows)];
    if (column >= 0 && column < columns && row >= 0 && row < rows) bins[(rows - 1 - row) * columns + column]++;
  }
  return bins;
}
