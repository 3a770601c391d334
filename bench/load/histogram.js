/** Latencies in steps of 0.05 ms up to 10 s, so that millions cost no memory. */
const STEP_MS = 0.05;

export class Histogram {
  #counts = new Uint32Array(200_000);
  #total = 0;

  add(ms) {
    const i = Math.min(this.#counts.length - 1, Math.max(0, Math.floor(ms / STEP_MS)));
    this.#counts[i]++;
    this.#total++;
  }

  summary() {
    return { p50: this.#at(0.5), p99: this.#at(0.99), p999: this.#at(0.999) };
  }

  #at(share) {
    let left = this.#total * share;
    for (let i = 0; i < this.#counts.length; i++) {
      left -= this.#counts[i];
      if (left <= 0) return (i + 1) * STEP_MS;
    }
    return Infinity;
  }
}
