import fs from 'node:fs'

const GROUP_WRITE = 0o020
const OTHERS_WRITE = 0o002

/** The files that list users and groups. */
export interface UserLists {
  users: string
  groups: string
}

const LISTS: UserLists = { users: '/etc/passwd', groups: '/etc/group' }

/**
 * Whether others than this user and root may write to a file or folder.
 * @param user its name; undefined if it has none
 */
export function mayOthersWrite({ mode, gid }: fs.Stats, user: string | undefined, lists: UserLists = LISTS): boolean {
  return (mode & OTHERS_WRITE) !== 0 || ((mode & GROUP_WRITE) !== 0 && !isGroupOf(user, gid, lists))
}

/** Many systems give each user a group of its own, and let it write by default. Some groups have nobody in them. */
function isGroupOf(user: string | undefined, gid: number, { users, groups }: UserLists): boolean {
  const group = entriesOf(groups).find(([, , id]) => Number(id) === gid)
  if (group === undefined) return false
  const members = (group[3] ?? '').split(',').filter(name => name !== '')
  const owners = entriesOf(users).filter(([, , , id]) => Number(id) === gid)
  const names = [...members, ...owners.map(([name]) => name)]
  return names.every(name => name === 'root' || name === user)
}

function entriesOf(file: string): string[][] {
  try {
    return fs
      .readFileSync(file, 'utf8')
      .split('\n')
      .map(line => line.split(':'))
  } catch {
    return []
  }
}
