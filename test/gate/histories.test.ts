import { openTestSqlite } from "../support/databases.ts";
import { openTestPostgres } from "../support/postgres.ts";
import { histories } from "./histories.ts";

histories("sqlite", openTestSqlite, 300);
histories("postgres", openTestPostgres, 60);
