/** Map.groupBy, which Node 20 does not have yet.
 *  @param groups further groups are added to these */
export const groupBy = <Key, Value>(
  values: readonly Value[],
  keyOf: (value: Value) => Key,
  groups = new Map<Key, Value[]>(),
): Map<Key, Value[]> => {
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
};
