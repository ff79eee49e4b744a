import { openTestSqlite } from "../support/databases.ts";
import { openTestPostgres } from "../support/postgres.ts";
import { gateSuite } from "./suite.ts";

gateSuite("sqlite", openTestSqlite);
gateSuite("postgres", openTestPostgres);
