import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
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
  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const visitor = new Visitor(await (await browser.newContext(options)).newPage())
    await visitor.page.goto(url)
    await visitor.page.waitForSelector('#live[data-state=on]')
    return visitor
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
