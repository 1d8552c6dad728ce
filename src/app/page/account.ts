import { ask, explain } from './page-answer.js'
import { element } from './elements.js'
import { busy, Notice } from './notice.js'
import { SessionList } from './sessions.js'

/** Set while a user is signed in, so that other visitors send no request that would be refused. */
const REMEMBERED = 'outpost.signed-in'

/** Registration, sign-in, sign-out and the name of the user. */
export class AccountPanel {
  /** Undefined for a visitor. */
  username: string | undefined
  readonly #form = element('sign-in', HTMLFormElement)
  readonly #signedIn = element('signed-in', HTMLElement)
  readonly #name = element('name', HTMLElement)
  readonly #notice = new Notice('account')
  readonly #sessions = new SessionList(this.#notice)

  start(): void {
    this.#sessions.start()
    this.#form.addEventListener('submit', event => {
      event.preventDefault()
      void busy(this.#form, () => this.#signIn())
    })
    element('register', HTMLButtonElement).addEventListener('click', () => {
      if (this.#form.reportValidity()) void busy(this.#form, () => this.#register())
    })
    element('who-am-i', HTMLButtonElement).addEventListener('click', () => {
      void busy(this.#signedIn, () => this.#whoAmI())
    })
    element('sign-out', HTMLButtonElement).addEventListener('click', () => {
      void busy(this.#signedIn, () => this.#signOut())
    })
    if (localStorage.getItem(REMEMBERED) !== null) void this.#whoAmI()
  }

  async #register(): Promise<void> {
    const answer = await ask('POST', '/register', this.#credentials)
    if (answer.status !== 201) this.#notice.fail(answer)
    else await this.#signIn('Registered and signed in.')
  }

  async #signIn(done = 'Signed in.'): Promise<void> {
    const answer = await ask('POST', '/login', this.#credentials)
    if (answer.status !== 200) return this.#notice.fail(answer)
    const me = await ask('GET', '/me')
    if (me.status !== 200) return this.#notice.fail(me)
    this.#form.reset()
    this.#become(String(me.body['username']))
    this.#notice.show('good', done, answer)
    this.#name.focus()
  }

  async #whoAmI(): Promise<void> {
    const answer = await ask('GET', '/me')
    if (answer.status === 401) this.#become(undefined)
    if (answer.status !== 200) {
      this.#notice.show('bad', answer.status === 401 ? 'You are not signed in any more.' : explain(answer), answer)
      return
    }
    const { username, createdAt } = answer.body as { username: string; createdAt: string }
    this.#become(username)
    this.#notice.show('plain', `You are ${username}, here since ${new Date(createdAt).toLocaleDateString()}.`, answer)
  }

  async #signOut(): Promise<void> {
    const answer = await ask('POST', '/logout')
    if (answer.status !== 204) return this.#notice.fail(answer)
    this.#become(undefined)
    this.#notice.show('plain', 'Signed out, on every worker.', answer)
    element('username', HTMLInputElement).focus()
  }

  #become(username: string | undefined): void {
    this.username = username
    this.#form.hidden = username !== undefined
    this.#signedIn.hidden = username === undefined
    this.#name.textContent = username ?? ''
    this.#sessions.close()
    element('avatar', HTMLElement).textContent = username?.slice(0, 1) ?? ''
    if (username === undefined) localStorage.removeItem(REMEMBERED)
    else localStorage.setItem(REMEMBERED, 'yes')
  }

  get #credentials(): { username: string; password: string } {
    const { value: username } = element('username', HTMLInputElement)
    const { value: password } = element('password', HTMLInputElement)
    return { username, password }
  }
}
