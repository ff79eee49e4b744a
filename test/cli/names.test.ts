import { beforeAll, expect, it, vi } from "vitest";
import { run, sql } from "../../src/store/sql.ts";
