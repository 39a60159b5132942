/** A memory of limited size that forgets what was used longest ago. */
export class LatestOf<T> {
  private kept = new Map<string, T>();

  constructor(private most: number) {}

  get(key: string): T | undefined {
    const found = this.kept.get(key);
    if (found !== undefined) this.set(key, found);
    return found;
  }

  set(key: string, value: T): void {
    this.kept.delete(key);
    this.kept.set(key, value);
    while (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value!);
  }
}
