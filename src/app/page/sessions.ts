import { ask } from './page-answer.js'
import { create, element } from './elements.js'
import { busy, type Notice } from './notice.js'

interface Session {
  id: string
  current: boolean
  startedAt: string
  seenAt: string
  client: string
  agent: string
}

/** The sessions of the account, and what needs its password: ending them, and changing it. */
export class SessionList {
  readonly #panel = element('security', HTMLDetailsElement)
  readonly #list = element('sessions', HTMLUListElement)
  readonly #endForm = element('end-sessions', HTMLFormElement)
  readonly #changeForm = element('change-password', HTMLFormElement)
  readonly #password = element('own-password', HTMLInputElement)
  readonly #newPassword = element('new-password', HTMLInputElement)

  constructor(private readonly notice: Notice) {}

  start(): void {
    this.#panel.addEventListener('toggle', () => {
      if (this.#panel.open) void this.#show()
    })
    this.#endForm.addEventListener('submit', event => {
      event.preventDefault()
      void busy(this.#endForm, () => this.#end())
    })
    this.#changeForm.addEventListener('submit', event => {
      event.preventDefault()
      if (this.#endForm.reportValidity()) void busy(this.#changeForm, () => this.#change())
    })
  }

  /** Another user must not see what is here. */
  close(): void {
    this.#panel.open = false
    this.#list.replaceChildren()
    this.#endForm.reset()
    this.#changeForm.reset()
  }

  async #show(): Promise<void> {
    const answer = await ask('GET', '/sessions')
    if (answer.status !== 200) this.notice.fail(answer)
    else this.#list.replaceChildren(...(answer.body['sessions'] as Session[]).map(session => this.#item(session)))
  }

  #item({ id, current, startedAt, seenAt, client, agent }: Session): HTMLLIElement {
    const item = create('li')
    const since = new Date(startedAt).toLocaleString()
    const until = new Date(seenAt).toLocaleString()
    item.append(create('div', agent === '' ? 'unknown browser' : agent, 'caption'))
    item.append(create('div', `from ${client}, since ${since}, last used ${until}`, 'hint'))
    if (current) item.append(create('strong', 'this session'))
    else {
      const end = create('button', 'End')
      end.type = 'button'
      end.ariaLabel = `End the session of ${since}`
      end.addEventListener('click', () => {
        if (this.#endForm.reportValidity()) void busy(item, () => this.#end(id))
      })
      item.append(end)
    }
    return item
  }

  /** All others without an id. */
  async #end(id?: string): Promise<void> {
    const answer = await ask('POST', '/sessions/end', { password: this.#password.value, ...(id && { id }) })
    if (answer.status !== 204) this.notice.fail(answer)
    else this.notice.show('good', id === undefined ? 'All other sessions are over.' : 'The session is over.', answer)
    await this.#show()
  }

  async #change(): Promise<void> {
    const json = { currentPassword: this.#password.value, newPassword: this.#newPassword.value }
    const answer = await ask('POST', '/password', json)
    if (answer.status !== 200) return this.notice.fail(answer)
    this.#endForm.reset()
    this.#changeForm.reset()
    this.notice.show('good', 'Password changed. All other sessions are over.', answer)
    await this.#show()
  }
}
