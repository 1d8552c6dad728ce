const text = { type: 'string' }
const time = { type: 'string', format: 'date-time' }
const cents = { type: 'integer', minimum: 0, description: 'In cents' }
const password = { type: 'string', minLength: 6, description: 'At most 72 bytes in UTF-8' }
const newPassword = {
  type: 'string',
  minLength: 8,
  description: 'At most 72 bytes in UTF-8; none of the most common ones, and not the username',
}
const productName = { type: 'string', minLength: 1, maxLength: 200 }

function object(properties: Record<string, object>, optional: string[] = []): object {
  return { type: 'object', required: Object.keys(properties).filter(name => !optional.includes(name)), properties }
}

/** The bodies of the built-in app, by the names that the paths refer to. */
export const schemas = {
  Credentials: object({
    username: { type: 'string', minLength: 1, maxLength: 64, description: 'Compared in Unicode NFC and lower case' },
    password,
  }),
  NewCredentials: object({
    username: { type: 'string', minLength: 1, maxLength: 64, description: 'Without invisible characters' },
    password: newPassword,
  }),
  PasswordChange: object({ currentPassword: password, newPassword }),
  SessionEnd: object(
    { password, id: { type: 'string', description: 'Without it, all sessions except this one end' } },
    ['id'],
  ),
  Sessions: object({
    sessions: {
      type: 'array',
      items: object({
        id: text,
        current: { type: 'boolean', description: 'Whether it is the session of this request' },
        startedAt: time,
        seenAt: { ...time, description: 'Time of its last request, to the minute' },
        client: { type: 'string', description: 'The address of the client that began it' },
        agent: { type: 'string', description: 'User-Agent of the browser' },
      }),
    },
  }),
  Account: object({ username: text, createdAt: time }),
  Token: object({ token: { type: 'string', format: 'uuid' } }),
  ProductFields: object({ name: productName, price: cents }),
  Product: object({ id: text, name: productName, price: cents, updatedAt: time }),
  StoredFile: object({
    key: { type: 'string', format: 'uuid' },
    url: { type: 'string', format: 'uri-reference' },
    size: { type: 'integer', minimum: 0, description: 'In bytes' },
    sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    contentType: text,
  }),
  Readiness: object({
    status: { type: 'string', enum: ['ready', 'unready'] },
    checks: { type: 'object', additionalProperties: { type: 'object' } },
  }),
  Problem: object(
    {
      type: text,
      title: text,
      status: { type: 'integer' },
      code: { type: 'string', description: 'Stable; see docs/errors.md' },
      detail: text,
      requestId: { type: 'string', description: 'Also in `X-Request-Id`' },
      errors: { type: 'array', items: object({ field: text, reason: text }) },
    },
    ['requestId', 'errors'],
  ),
}
