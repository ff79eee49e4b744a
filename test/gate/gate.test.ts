import { openTestSqlite } from "../support/databases.ts";
import { gateSuite } from "./suite.ts";

gateSuite("sqlite", openTestSqlite);
