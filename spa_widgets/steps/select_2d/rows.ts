/** Classes in order and through filters. Pure functions. */
export interface ClassRow { number: number; count: number | null; resolution_A: number | null; effective_classes: number | null }
export type Sort = "count" | "resolution" | "effective_classes" | "number";
export interface Filters { min_count: number; worst_resolution_A: number | null; most_effective_classes: number | null }

/** The classes in the order asked for: many particles, fine resolution, few effective classes first; unknown values last. */
export function sorted(rows: ClassRow[], by: Sort): ClassRow[] {
  const last = Number.POSITIVE_INFINITY;
  const key = { count: (row: ClassRow) => -(row.count ?? -last), resolution: (row: ClassRow) => row.resolution_A ?? last, effective_classes: (row: ClassRow) => row.effective_classes ?? last, number: (row: ClassRow) => row.number }[by];
  return [...rows].sort((a, b) => key(a) - key(b) || a.number - b.number);
}

/** Is a class shown? What is not known does not pass a filter that is set. */
export function passes(row: ClassRow, filters: Filters): boolean {
  const under = (value: number | null, limit: number | null): boolean => limit === null || (value !== null && value <= limit);
  return (row.count ?? 0) >= filters.min_count && under(row.resolution_A, filters.worst_resolution_A) && under(row.effective_classes, filters.most_effective_classes);
}

/** The end of a filter's slider: the largest known value, rounded up to a tenth. */
export function largest(rows: ClassRow[], name: "count" | "resolution_A" | "effective_classes"): number {
  return rows.reduce((most, row) => Math.max(most, Math.ceil((row[name] ?? 0) * 10) / 10), 0);
}
