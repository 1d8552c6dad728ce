/** A value that must be in a map. */
export function entry<K, V>(map: ReadonlyMap<K, V>, key: K): V {
  const value = map.get(key)
  if (value === undefined) throw new Error(`the bench has nothing for ${String(key)}`)
  return value
}
