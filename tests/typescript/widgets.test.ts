import { expect, test } from "vitest";
import { curvesFloor, highest } from "../../spa_widgets/steps/estimate_ctf/curves.ts";
import { sorted } from "../../spa_widgets/steps/select_2d/rows.ts";
import { told } from "../../spa_widgets/viewers/jobs/export.ts";
import { duration, found, size, standing, startsIn, worst } from "../../spa_widgets/viewers/jobs/row.ts";
import { translator } from "../../spa_widgets/viewers/kit/i18n.ts";
import { corner, corners, HEIGHT, rounded, WIDTH } from "../../spa_widgets/viewers/jobs/routes.ts";
import { layout, neighbour } from "../../spa_widgets/viewers/jobs/tree.ts";
import { multiply, orthonormal, type Rotation } from "../../spa_widgets/viewers/volume/geometry.ts";
import { enlarged, sliceOf } from "../../spa_widgets/viewers/volume/slices.ts";
import { surfaceNets, type Shape } from "../../spa_widgets/viewers/volume/surfaceNets.ts";

const shape: Shape = [40, 36, 44];
const centre = [19, 17, 23];
const radius = 11;
const ball = new Uint8Array(shape[0] * shape[1] * shape[2]);
for (let z = 0, at = 0; z < shape[2]; z++) {
  for (let y = 0; y < shape[1]; y++) {
    for (let x = 0; x < shape[0]; x++, at++) ball[at] = Math.min(255, Math.max(0, 128 + 20 * (radius - Math.hypot(x - centre[0], y - centre[1], z - centre[2]))));
  }
}

for (const step of [1, 2]) {
  test(`the contour of a ball is a closed sphere with normals outward (step ${step})`, () => {
    const { positions, normals, indices } = surfaceNets(ball, shape, 128, step);
    expect(positions.length).toBeGreaterThan(300);
    let worst = 0;
    for (let at = 0; at < positions.length; at += 3) {
      const offset = [0, 1, 2].map((axis) => positions[at + axis] - centre[axis]);
      const distance = Math.hypot(...offset);
      worst = Math.max(worst, Math.abs(distance - radius));
      expect(offset.reduce((sum, value, axis) => sum + (value / distance) * normals[at + axis], 0)).toBeGreaterThan(0.95);
    }
    expect(worst).toBeLessThan(0.15 * step);
    // closed: every edge belongs to two triangles, once in each direction; volume by the divergence theorem
    const edges = new Map<string, number>();
    let volume = 0;
    for (let at = 0; at < indices.length; at += 3) {
      const [a, b, c] = [...indices.slice(at, at + 3)].map((vertex) => [0, 1, 2].map((axis) => positions[3 * vertex + axis] - centre[axis]));
      volume += (a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])) / 6;
      for (let corner = 0; corner < 3; corner++) {
        const [from, to] = [indices[at + corner], indices[at + ((corner + 1) % 3)]];
        edges.set(`${from}-${to}`, (edges.get(`${from}-${to}`) ?? 0) + 1);
      }
    }
    for (const [edge, count] of edges) expect([count, edges.get(edge.split("-").reverse().join("-"))]).toEqual([1, 1]);
    expect(volume / ((4 / 3) * Math.PI * radius ** 3)).toBeCloseTo(1, step === 1 ? 1.5 : 0.7);
  });
}

test("nothing is drawn above the highest level", () => {
  expect(surfaceNets(ball, shape, 300).indices.length).toBe(0);
});

test("slices have their axis up", () => {
  const { width, height, levels } = sliceOf({ data: ball, shape: [...shape] }, "z", centre[2]);
  expect([width, height]).toEqual([shape[0], shape[1]]);
  expect(levels[(height - 1 - centre[1]) * width + centre[0]]).toBe(255);
});

test("turning keeps a right-handed frame", () => {
  let rotation: Rotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  const step: Rotation = [[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]];
  for (let turn = 0; turn < 500; turn++) rotation = orthonormal(multiply(step, rotation));
  const [x, y, z] = rotation;
  const cross = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
  cross.forEach((value, axis) => expect(value).toBeCloseTo(z[axis], 6));
});

test("classes are sorted with unknown values last", () => {
  const row = (number: number, count: number | null, resolution_A: number | null) => ({ number, count, resolution_A, effective_classes: null });
  const rows = [row(1, 5, 9), row(2, null, null), row(3, 50, 12)];
  expect(sorted(rows, "count").map((each) => each.number)).toEqual([3, 1, 2]);
  expect(sorted(rows, "resolution").map((each) => each.number)).toEqual([1, 3, 2]);
});

const job = (name: string, step: string, ...parents: string[]) => ({ name, step, parents, workspace: "W1" });

test("the tree puts a job below all that it uses, and none on another", () => {
  const nodes = layout([job("J1", "a"), job("J2", "b", "J1"), job("J3", "c", "J1", "J2"), job("J4", "b", "J1"), job("J5", "a")]);
  expect(nodes.map((node) => [node.column, node.level])).toEqual([[0, 0], [0, 1], [0, 2], [1, 1], [1, 0]]);
  expect([nodes[2].parents, nodes[2].implied]).toEqual([[0, 1], [0]]);
  expect([neighbour(nodes, 0, "ArrowDown"), neighbour(nodes, 1, "ArrowRight"), neighbour(nodes, 0, "ArrowUp")]).toEqual([1, 3, 0]);
});

test("no line of a wide tree crosses a box", () => {
  const names = Array.from({ length: 40 }, (_, number) => number);
  const rows = names.map((number) => job(`J${number}`, `s${number}`, ...(number ? [`J${(number * 7) % number}`, `J${number - 1 - (number % 3)}`] : []).filter((name) => name !== `J${number}`)));
  const nodes = layout(rows.map((row) => ({ ...row, parents: [...new Set(row.parents)].filter((name) => names.includes(Number(name.slice(1)))) })));
  let bends = 0;
  for (const node of nodes) {
    for (const parent of node.parents) {
      const points = corners(nodes[parent], node);
      bends += points.length - 2;
      points.slice(1).forEach(([x1, y1], index) => {
        const [x0, y0] = points[index];
        expect(x0 === x1 || y0 === y1).toBe(true);
        const crossed = nodes.filter((other) => {
          const [x, y] = corner(other);
          return Math.max(x0, x1) > x && Math.min(x0, x1) < x + WIDTH && Math.max(y0, y1) > y && Math.min(y0, y1) < y + HEIGHT;
        });
        expect(crossed).toEqual([]);
      });
    }
  }
  expect(bends).toBeGreaterThan(60);
  expect(rounded([[0, 0], [0, 20], [30, 20]])).toBe("M0,0L0,13Q0,20 7,20L30,20");
});

test("a long history of jobs that use two others each is placed at once", () => {
  const chain = Array.from({ length: 200 }, (_, number) => job(`J${number}`, `s${number}`, ...[number - 1, number - 2].filter((each) => each >= 0).map((each) => `J${each}`)));
  const nodes = layout([...chain, job("J900", "x"), job("J901", "y", "J199", "J900")]); // one that is not above the other
  expect([nodes[201].parents, nodes[201].implied, nodes[199].implied]).toEqual([[199, 200], [], [197]]);
});

test("many alike jobs share a node until it is opened, and so do the jobs that follow each of them", () => {
  const five = [1, 2, 3, 4, 5];
  const rows = [job("J1", "a"), ...five.map((number) => job(`J${number + 1}`, "b", "J1")), ...five.map((number) => job(`J${number + 6}`, "c", "J1", `J${number + 1}`)), job("J12", "d", "J7")];
  const nodes = layout(rows);
  expect(nodes.map((node) => node.names.length)).toEqual([1, 5, 5, 1]);
  expect(nodes.map((node) => node.parents)).toEqual([[], [0], [0, 1], [2]]);
  const opened = layout(rows, new Set([nodes[1].key]));
  expect(opened.map((node) => node.names.length)).toEqual([1, 1, 1, 1, 1, 1, 5, 1]);
  expect(opened[6].parents.length).toBe(6);
});

test("what people read of jobs", () => {
  expect([duration(4.26), duration(185), duration(7500)]).toEqual(["4.3 s", "3 min 05 s", "2 h 05 min"]);
  expect([size(0), size(950), size(1500), size(123456789)]).toEqual(["0 B", "950 B", "1.5 kB", "123 MB"]);
  expect(worst(["finished", "failed", "queued"])).toBe("failed");
  const row = { ...job("J1", "refine"), title: "Refinement", title_ja: "精密化", status: "running", progress: 0, message: "iteration 3", eta_s: null, error: "", seconds: 1, bytes: 0 };
  expect([found(row, "ITERATION refine"), found(row, "精密"), found(row, "extract")]).toEqual([true, true, false]);
});

test("a job that waits has a place in the line, and one that is done says who computed it", () => {
  const row = { ...job("J1", "refine"), title: "", title_ja: "", status: "queued", progress: 0, message: "", eta_s: null, error: "", seconds: 1, bytes: 0 };
  const [en, ja] = [translator("en"), translator("ja")];
  expect(standing(en, { ...row, position: 3 })).toBe("number 3 in the line");
  expect([startsIn(en, 125), startsIn(en, 0), startsIn(ja, 5)]).toEqual(["starts in about 2 min 05 s", "starts soon", "開始まで約 5.0 s"]);
  expect(standing(en, { ...row, status: "finished", origin: "class", saved_s: 200 })).toBe("from the class store, 3 min 20 s saved");
  expect(standing(ja, { ...row, status: "finished", origin: "you", saved_s: null })).toBe("自分で計算");
  expect(standing(en, row)).toBe("");
});

test("the axis of CTF curves leaves room for the fringes, not for nothing", () => {
  const flat = { spectrum: new Float32Array([0.86, 1.02]), fit: new Float32Array([0.88, 1]), correlation: new Float32Array([Number.NaN, 0.74]) };
  expect(curvesFloor(flat)).toBeCloseTo(0.69, 5);
  expect(curvesFloor({ ...flat, correlation: new Float32Array([-0.9]) })).toBe(-0.2);
  expect(highest(new Float32Array([0.2, Number.NaN]))).toBe(1);
});

test("an enlarged slice keeps its values and is straight between them", () => {
  const { width, height, levels } = enlarged({ width: 2, height: 1, levels: new Uint8Array([0, 200]) }, 8);
  expect([width, height]).toEqual([8, 4]);
  expect([...levels.slice(0, 8)]).toEqual([0, 0, 25, 75, 125, 175, 200, 200]);
});

test("an export says once that it goes on, and at the end how large the archive is, where, and what it lacks", () => {
  const t = translator("en");
  const running = { state: "running" as const, jobs: ["J3"], total: 9 };
  expect(told(t, { ...running, done: 1 })).toBe(told(t, { ...running, done: 8 }));
  expect(told(t, running)).toContain("J3");
  const done = { state: "done" as const, jobs: [], count: 2, bytes: 41_000_000, path: "/home/me/a.spa", not_finished: ["J4", "J5"], lacks: 1 };
  expect(told(t, done)).toBe("Written: 2 jobs, 41 MB, /home/me/a.spa. Not finished, so not in it: J4, J5. Files that results mention and that are not in it: 1.");
  expect(told(t, { ...done, not_finished: [], lacks: 0 })).toBe("Written: 2 jobs, 41 MB, /home/me/a.spa.");
  expect(told(translator("ja"), done)).toContain("J4, J5");
  expect(told(t, { state: "failed", jobs: [], error: "a.spa is there already" })).toBe("a.spa is there already");
  expect(told(t, {} as any)).toBe("");
});
