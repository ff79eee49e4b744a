/** The report of a replay: figures, verdict and violations. */

import type { Verdict } from "./verify.ts";

export interface Report {
  /** Lines in the file of work items. */
  readonly lines: number;
  readonly nodes: number;
  readonly wallMs: number;
  readonly verdict: Verdict;
  /** The reason why the run ended before every task was done. */
  readonly fault: Error | undefined;
}

const SHOWN_VIOLATIONS = 20;

const number = (value: number, digits = 0): string =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const isVerified = ({ verdict, fault }: Report): boolean =>
  verdict.violations.length === 0 && fault === undefined;

const sentenceOf = (report: Report): string => {
  const { lines, verdict, fault } = report;
  if (isVerified(report)) return `${number(lines)} lines, all verified`;
  const { length } = verdict.violations;
  const why = [
    ...(fault ? [fault.message] : []),
    `${number(length)} ${length === 1 ? "violation" : "violations"}`,
  ];
  return `NOT verified: ${why.join(" ")}`;
};

/** The figures, the verdict and the first violations, as text. */
export const reportText = (report: Report): string => {
  const { lines, nodes, wallMs, verdict } = report;
  const { tasks, claims, overtakes, pauses, longestWait, violations } = verdict;
  const seconds = wallMs / 1_000;
  const rows: [string, string][] = [
    ...(nodes > 1 ? [["nodes", number(nodes)] satisfies [string, string]] : []),
    ["tasks", `${number(tasks)} from ${number(lines)} lines`],
    ["pauses", `${number(pauses)}, overtaken by ${number(overtakes)} tasks`],
    ["claims", number(claims)],
    ["wall time", `${number(seconds, 1)} s`],
    ["claims a second", number(claims / seconds)],
    ["longest wait", `${number(longestWait.ms / 1_000, 1)} s (${longestWait.workItem ?? "none"})`],
    ["verdict", sentenceOf(report)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const more = violations.length - SHOWN_VIOLATIONS;
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...violations.slice(0, SHOWN_VIOLATIONS).map((violation) => `  ${violation}`),
    ...(more > 0 ? [`  … and ${number(more)} more`] : []),
    "",
  ].join("\n");
};
