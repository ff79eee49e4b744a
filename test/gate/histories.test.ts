import { openTestSqlite } from "../support/databases.ts";
import { histories } from "./histories.ts";

histories("sqlite", openTestSqlite, 300);
