/** How lines run between the boxes of the tree: in the gaps between rows and columns, never across a box. */

export const WIDTH = 150;
export const HEIGHT = 40;
export const GAP_X = 16;
export const GAP_Y = 22;
export const MARGIN = 10;
const ROUND = 7;

export interface Place { column: number; level: number }
type Point = [number, number];

/** Upper left corner of the box at a place. */
export function corner({ column, level }: Place): Point {
  return [MARGIN + column * (WIDTH + GAP_X), MARGIN + level * (HEIGHT + GAP_Y)];
}

/** The corners of the line from a job to one further down that uses it: lines to the same place share their way. */
export function corners(from: Place, to: Place): Point[] {
  const [start, end] = [corner(from), corner(to)];
  const [x0, x1] = [start[0] + WIDTH / 2, end[0] + WIDTH / 2];
  const [below, above] = [start[1] + HEIGHT + GAP_Y / 2, end[1] - GAP_Y / 2];
  const lane = end[0] - GAP_X / 2; // beside the boxes that stand over the lower one
  const way: Point[] = to.level === from.level + 1 ? [[x0, below], [x1, below]] : [[x0, below], [lane, below], [lane, above], [x1, above]];
  return [[x0, start[1] + HEIGHT], ...way, [x1, end[1]]];
}

/** A line through points with its corners rounded. */
export function rounded(points: Point[]): string {
  const path = points.slice(1, -1).map((at, index) => {
    const [into, out] = [towards(at, points[index]), towards(at, points[index + 2])];
    return `L${into.join()}Q${at.join()} ${out.join()}`;
  });
  return `M${points[0].join()}${path.join("")}L${points[points.length - 1].join()}`;
}

function towards([x, y]: Point, [tx, ty]: Point): Point {
  const far = Math.hypot(tx - x, ty - y);
  const part = far ? Math.min(ROUND, far / 2) / far : 0;
  return [x + (tx - x) * part, y + (ty - y) * part];
}
