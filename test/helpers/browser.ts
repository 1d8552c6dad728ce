import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core'
import type { Credentials } from './client.js'
import type { Harness } from './harness.js'

const EXECUTABLE = '/usr/bin/chromium'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Why tests that need a browser cannot run here; false when they can. */
export const noBrowser = existsSync(EXECUTABLE) ? false : `there is no ${EXECUTABLE} (apt-get install chromium)`

/** A headless Chromium with a profile of its own, which is removed after the test. */
export async function openBrowser(t: Harness): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, headless: true, args: FLAGS })
  t.teardown(() => browser.close())
  return browser
}

/** Windows that visitors have left. A new one costs the browser a process. */
const left = new WeakMap<Browser, Page[]>()
/** Contexts with options of their own. */
const special = new WeakSet<BrowserContext>()

/** The page at `/` in a window of its own, and the errors that the browser reported. */
export class Visitor {
  readonly complaints: string[] = []

  private constructor(readonly page: Page) {
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(message.text())
    })
    page.on('pageerror', error => this.complaints.push(error.message))
    page.setDefaultTimeout(20_000)
  }

  /** Opens the page and waits until its live connection is open. */
  static async open(browser: Browser, url: string, options?: BrowserContextOptions): Promise<Visitor> {
    const known = options === undefined ? left.get(browser)?.pop() : undefined
    const visitor = new Visitor(known ?? (await (await browser.newContext(options)).newPage()))
    if (options !== undefined) special.add(visitor.page.context())
    await visitor.page.goto(url)
    await visitor.#isLive()
    return visitor
  }

  /** Opens the page again, which may be at another worker then. */
  async reload(): Promise<void> {
    await this.page.reload()
    await this.#isLive()
  }

  async #isLive(): Promise<void> {
    await this.page.waitForSelector('#live[data-state=on]')
  }

  /** Closes what is open, so that nothing shows what later tests say. The next visitors are as new to the server. */
  static async allLeave(browser: Browser): Promise<void> {
    const pages: Page[] = []
    for (const context of browser.contexts()) {
      if (special.has(context)) {
        await context.close()
        continue
      }
      await context.clearCookies()
      for (const page of context.pages()) {
        page.removeAllListeners()
        if (page.url() !== 'about:blank') await page.evaluate('localStorage.clear()')
        await page.goto('about:blank')
        pages.push(page)
      }
    }
    left.set(browser, pages)
  }

  /** The worker that its live connection is at. */
  async worker(): Promise<string> {
    return (await this.page.textContent('#live'))?.replace('live at worker ', '') ?? ''
  }

  /** Registers through the page's form, and waits for the confirmation. */
  async register(username: string, password = 'correct horse'): Promise<void> {
    const { page } = this
    await page.fill('#username', username)
    await page.fill('#password', password)
    await page.click('#register')
    await page.waitForSelector(`#name:text-is("${username}")`)
  }

  /** Signs in through the page's form. */
  async signIn({ username, password }: Credentials): Promise<void> {
    await this.page.fill('#username', username)
    await this.page.fill('#password', password)
    await this.page.click('#sign-in button[type=submit]')
    await this.told('account', 'Signed in')
  }

  async say(text: string): Promise<void> {
    await this.page.fill('#text', text)
    await this.page.click('#say button')
  }

  async hears(text: string): Promise<void> {
    await this.page.waitForSelector(`#messages li:has-text("${text}")`)
  }

  /** Waits until the text of a section matches. */
  async told(section: string, text: string): Promise<void> {
    await this.page.waitForSelector(`#${section} .notice:has-text("${text}")`)
  }
}
