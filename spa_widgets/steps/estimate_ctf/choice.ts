/** Which micrographs are accepted, and what is against the others. Pure functions, as the kernel's. */
export interface Row { name: string; fitted: boolean; defocus_A: number | null; astigmatism_A: number | null; angle_deg: number | null; resolution_A: number | null; score: number | null; confidence: number | null; ice: number | null }
export type Fact = "defocus_A" | "resolution_A" | "astigmatism_A" | "confidence" | "score" | "ice";

/** What is shown of each micrograph: its label, unit and decimals; the defocus in µm. */
export const FACTS: Record<Fact, { key: string; unit: string; scale: number; digits: number }> = {
  defocus_A: { key: "defocus", unit: "µm", scale: 1e-4, digits: 3 },
  resolution_A: { key: "fit_resolution", unit: "Å", scale: 1, digits: 2 },
  astigmatism_A: { key: "astigmatism", unit: "Å", scale: 1, digits: 0 },
  confidence: { key: "confidence", unit: "", scale: 1, digits: 2 },
  score: { key: "score", unit: "", scale: 1, digits: 2 },
  ice: { key: "ice", unit: "", scale: 1, digits: 2 },
};

/** Each limit, the fact that it is put on, and whether it is the least that is kept. */
export const LIMITS = {
  worst_resolution_A: { fact: "resolution_A", least: false },
  min_defocus_A: { fact: "defocus_A", least: true },
  max_defocus_A: { fact: "defocus_A", least: false },
  max_astigmatism_A: { fact: "astigmatism_A", least: false },
  min_confidence: { fact: "confidence", least: true },
  min_score: { fact: "score", least: true },
  max_ice: { fact: "ice", least: false },
} as const satisfies Record<string, { fact: Fact; least: boolean }>;
export type LimitName = keyof typeof LIMITS;
export const LIMIT_NAMES = Object.keys(LIMITS) as LimitName[];
export type Limits = Record<LimitName, number | null>;
export type Reason = Fact | "not_fitted" | "by_hand";

/** The value of a fact as it is shown. */
export const shown = (row: Row, fact: Fact): number => (row[fact] === null ? Number.NaN : row[fact] * FACTS[fact].scale);

/** The facts that some micrograph has. */
export const known = (rows: Row[]): Fact[] => (Object.keys(FACTS) as Fact[]).filter((fact) => rows.some((row) => row[fact] !== null));

/** What is against a micrograph by the limits alone. What is not known is not inside a limit. */
export function against(row: Row, limits: Limits): Reason[] {
  if (!row.fitted) return ["not_fitted"];
  const outside = (name: LimitName): boolean => {
    const [limit, value] = [limits[name], row[LIMITS[name].fact] ?? Number.NaN];
    return limit !== null && !(LIMITS[name].least ? value >= limit : value <= limit);
  };
  return LIMIT_NAMES.filter(outside).map((name) => LIMITS[name].fact);
}

/** What is against each micrograph after a person's word. */
export function judge(rows: Row[], limits: Limits, accept: Iterable<number>, reject: Iterable<number>): Reason[][] {
  const [good, bad] = [new Set(accept), new Set(reject)];
  return rows.map((row, index) => (good.has(index) ? [] : bad.has(index) ? ["by_hand"] : against(row, limits)));
}

/** The limits that keep what lies in a frame of two facts, as far as there are such limits; values as they are shown. */
export function limitsOf(x: Fact, [x0, x1]: [number, number], y: Fact, [y0, y1]: [number, number]): Partial<Limits> {
  const found: Partial<Limits> = {};
  for (const [fact, low, high] of [[x, x0, x1], [y, y0, y1]] as const) {
    for (const name of LIMIT_NAMES) {
      if (LIMITS[name].fact === fact) found[name] = Number(((LIMITS[name].least ? low : high) / FACTS[fact].scale).toPrecision(6));
    }
  }
  return found;
}
