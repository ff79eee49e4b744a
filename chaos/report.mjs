/** The counts of a run, and what was broken. */

const SHOWN = 12;

const addInto = (sum, counts) => {
  for (const [name, value] of Object.entries(counts))
    if (typeof value === "number") sum[name] = (sum[name] ?? 0) + value;
    else if (typeof value === "object") addInto((sum[name] ??= {}), value);
    else sum[name] = value;
};

const total = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);

export class Report {
  violations = [];
  #counts = {};

  constructor(seed) {
    this.seed = seed;
    this.began = Date.now();
  }

  add(kind, { counts, town, violations, name }) {
    addInto((this.#counts[kind] ??= {}), { lives: 1, ...counts, ...town.counts });
    for (const sentence of violations) this.violations.push(sentence);
    console.log(
      `${name}: ${total(counts.kills)} kills, ${counts.entries} calls, ${counts.events} events, ${counts.looks} looks, ${violations.length} violations`,
    );
  }

  print() {
    for (const [
      kind,
      {
        lives,
        kills = {},
        calls = {},
        replays,
        lostReplies,
        comparisons,
        looks,
        drained,
        events,
        skipped,
        writesLost,
      },
    ] of Object.entries(this.#counts)) {
      const deaths = total(kills);
      console.log(`\n${kind}: ${deaths} kills in ${lives} lives`);
      for (const [name, count] of Object.entries(kills))
        console.log(`  ${String(count).padStart(6)} ${name}`);
      console.log("  calls                  acknowledged  refused  unavailable");
      for (const [name, { acknowledged, refused, unavailable }] of Object.entries(calls))
        console.log(
          `  ${name.padEnd(22)} ${String(acknowledged).padStart(12)} ${String(refused).padStart(8)} ${String(unavailable).padStart(12)}`,
        );
      console.log(
        `  ${lostReplies} replies lost, ${replays} keys repeated, ${events} events replayed, ${comparisons} comparisons`,
      );
      console.log(
        `  ${looks} times GET /queue and a claim held against the rule, ${drained} jobs drained at the end`,
      );
      if (writesLost !== undefined) console.log(`  ${writesLost} unsynced writes taken back by power cuts`);
      for (const [name, why] of Object.entries(skipped)) console.log(`  skipped: ${name}: ${why}`);
      if (this.violations.length === 0 && deaths > 0)
        console.log(
          `  0 of ${deaths} kills broke a promise: at most ${Math.min(100, 300 / deaths).toPrecision(3)} % do, at 95 %`,
        );
    }
    console.log(
      `\n${this.violations.length} violations in ${Math.round((Date.now() - this.began) / 1_000)} s`,
    );
    for (const sentence of this.violations.slice(0, SHOWN)) console.log(`  ${sentence}`);
    if (this.violations.length > 0) console.log(`Again: npm run chaos -- --seed ${this.seed}`);
  }
}
