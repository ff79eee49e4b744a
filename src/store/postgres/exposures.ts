/** Rights through which another role could act as the program. PostgreSQL gives them by its defaults or by an operator's
 *  mistake; the program works under them, and says so. */

/** True for the tables of ours and of the orchestrator. */
export const isOurs = (table: string): string =>
  `(${table}.relname IN ('tasks', 'jobs', 'job_deps', 'repo_freeze') OR starts_with(${table}.relname::text, 'gate_'))
      AND ${table}.relkind IN ('r', 'p')`;

const owner = (namespace: string): string =>
  `(SELECT s.relowner FROM pg_class s WHERE s.relnamespace = ${namespace} AND s.relname = 'gate_settings')`;

const grantee = `CASE a.grantee WHEN 0 THEN 'Every role' ELSE 'The role ' || pg_get_userbyid(a.grantee) END`;

const isOther = (namespace: string, ownerOfIt: string): string =>
  `a.grantee <> ${ownerOfIt} AND (a.grantee = ${owner(namespace)}) IS NOT TRUE
      AND NOT EXISTS (SELECT 1 FROM pg_roles s WHERE s.oid = a.grantee AND s.rolsuper)`;

/** FROM and WHERE of the grants `a` that let other roles create objects in a schema `n`.
 *  @param namespace its oid */
export const grantsToCreate = (namespace: string): string =>
  `pg_namespace n, aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) a
    WHERE n.oid = ${namespace} AND a.privilege_type = 'CREATE' AND ${isOther(namespace, "n.nspowner")}`;

/** Rows `{exposure}`: sentences.
 *  @param namespace the oid of our schema */
export const exposuresOf = (namespace: string): string => `
  SELECT 'The role ' || current_user || ' is a superuser: a service needs a role of its own.' AS exposure
    FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper
  UNION ALL SELECT ${grantee} || ' may create objects in the schema ' || n.nspname || ': revoke it.'
    FROM ${grantsToCreate(namespace)}
  UNION ALL SELECT 'The table ' || c.relname || ' belongs to ' || pg_get_userbyid(c.relowner)
      || ', whose triggers would run as the service: give it to ' || pg_get_userbyid(${owner(namespace)}) || '.'
    FROM pg_class c WHERE c.relnamespace = ${namespace} AND ${isOurs("c")} AND c.relowner <> ${owner(namespace)}
  UNION ALL SELECT ${grantee} || ' may make triggers on the table ' || c.relname
      || ', which would run as the service: revoke it.'
    FROM pg_class c, aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) a
    WHERE c.relnamespace = ${namespace} AND ${isOurs("c")} AND a.privilege_type = 'TRIGGER'
      AND ${isOther(namespace, "c.relowner")}
  UNION ALL SELECT 'The trigger ' || t.tgname || ' on ' || c.relname || ' runs the function ' || p.oid::regproc
      || ', which has no search_path of its own: it must name its tables by schema.'
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE c.relnamespace = ${namespace} AND ${isOurs("c")} AND NOT t.tgisinternal
      AND NOT starts_with(t.tgname::text, 'gate_') AND COALESCE(p.proconfig::text, '') NOT LIKE '%search_path=%'`;
