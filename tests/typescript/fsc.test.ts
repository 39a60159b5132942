import { expect, test } from "vitest";
import { latestOnly } from "../../spa_widgets/steps/fsc/widget.ts";

test("while one mask is computed only the latest of those asked for waits", async () => {
  const begun: number[] = [];
  const finish: (() => void)[] = [];
  const ask = latestOnly<number>((value) => {
    begun.push(value);
    return new Promise<void>((done) => finish.push(done));
  });
  for (const value of [1, 2, 3, 4]) ask(value);
  expect(begun).toEqual([1]);
  finish[0]();
  await new Promise((done) => setTimeout(done));
  expect(begun).toEqual([1, 4]);
  finish[1]();
  await new Promise((done) => setTimeout(done));
  ask(5);
  expect(begun).toEqual([1, 4, 5]);
});
