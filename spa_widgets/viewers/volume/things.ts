/** Points and surfaces that came by napari's API. */
import type { Frame } from "../kit/frame.ts";
import { bytes, floats } from "../kit/link.ts";
import { normalsOf } from "./geometry.ts";
import type { Thing } from "./maps.ts";
import type { Scene } from "./scene.ts";

/** Bring a thing when its version is new, then give it its look; the scene may be gone when it comes. */
export async function showThing(frame: Frame, { id, version, opacity, visible }: Thing, versions: Map<string, number>, sceneNow: () => Scene | null): Promise<void> {
  if (versions.get(id) !== version) {
    versions.set(id, version);
    const { content, buffers } = await frame.link.ask<{ kind: string }>("object", { key: id });
    const scene = sceneNow();
    if (!scene) return;
    if (content.kind === "points") scene.setPoints(id, { places: floats(buffers[0]), colours: bytes(buffers[1]) }, opacity);
    else {
      const [positions, indices] = [floats(buffers[0]), new Uint32Array(bytes(buffers[1]).buffer)];
      scene.setMesh(id, { positions, indices, normals: normalsOf(positions, indices) }, { colour: [1, 1, 1], opacity, visible, mesh: false, clip: null, voxel_A: 1, origin: [0, 0, 0] }, bytes(buffers[2]));
    }
    const others = (frame.root.dataset.things?.split(" ") ?? []).filter((each) => each && !each.startsWith(`${id}:`));
    frame.root.dataset.things = [...others, `${id}:${version}`].join(" ");
  }
  sceneNow()?.setLook(id, { opacity, visible });
  sceneNow()?.lookOfPoints(id, opacity, visible);
}
