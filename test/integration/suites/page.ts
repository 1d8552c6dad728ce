import type { Browser } from 'playwright-core'
import type { Test } from 'tap'

import { Visitor } from '../../helpers/browser.js'
import { ChatClient, takeTurns } from '../../helpers/chat-client.js'
import { somebody } from '../../helpers/client.js'
import type { Cluster } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'

const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

/** The part that depends on the mode: several browsers at several workers. */
export async function sharedPageSuite(t: Test, cluster: Cluster, browser: Browser): Promise<void> {
  await t.test('two browsers chat over different workers', async t => {
    const [first, other] = [await Visitor.open(browser, cluster.url), await Visitor.open(browser, cluster.url)]
    while ((await other.worker()) === (await first.worker())) {
      await takeTurns(cluster.url)
      await other.reload()
    }
    await first.say('Is anybody there?')
    await other.hears('Is anybody there?')
    await other.say('Yes, <b>at another worker</b>.')
    await first.hears('Yes, <b>at another worker</b>.')
    t.strictSame([...first.complaints, ...other.complaints], [])
  })

  await t.test('messages of any kind are shown, and long ones are shortened', async t => {
    const visitor = await Visitor.open(browser, cluster.url)
    const other = await ChatClient.connect(t, cluster.url, 'websocket')
    const odd = { toString: 1, valueOf: 1 }
    for (const message of [null, 7, { text: odd, from: odd }, { text: 'x'.repeat(50_000), from: 'y'.repeat(5_000) }]) {
      await other.say(message)
    }
    await other.say({ from: odd, text: 'the last' })
    await visitor.hears('the last')
    const longest = await visitor.page.evaluate(
      'Math.max(...[...messages.children].map(item => item.innerText.length))',
    )
    t.ok(Number(longest) < 5_000, String(longest))
    t.strictSame(visitor.complaints, [])
  })

  await t.test('an uploaded picture is shown, also after a reload, until its owner deletes it', async t => {
    const visitor = await Visitor.open(browser, cluster.url)
    const owner = somebody()
    await visitor.register(owner.username, owner.password)
    await visitor.page.setInputFiles('#file', { name: 'dot.png', mimeType: 'image/png', buffer: PICTURE })
    await visitor.page.click('#upload button')
    await visitor.told('uploads', 'Stored dot.png')
    // Polled from outside: the page's policy forbids the code that the library would run inside the page.
    const shown = (): Promise<boolean> =>
      visitor.page.evaluate(
        `[...document.images].some(({ alt, naturalWidth }) => alt === 'dot.png' && naturalWidth === 1)`,
      )
    await until(shown, 'the picture to appear', 20_000)
    await visitor.page.reload()
    await until(shown, 'the picture to appear again', 20_000)
    t.strictSame(visitor.complaints, [])

    await visitor.page.click('#sign-out')
    await visitor.told('account', 'Signed out')
    await visitor.register(somebody().username)
    await visitor.page.click('#gallery button')
    await visitor.told('uploads', 'belongs to another account')
    t.equal(await visitor.page.locator('#gallery li').count(), 1, 'a file of another account is not forgotten')

    await visitor.page.click('#sign-out')
    await visitor.told('account', 'Signed out')
    await visitor.signIn(owner)
    await visitor.page.click('#gallery button')
    await visitor.told('uploads', 'Deleted dot.png')
    t.equal(await visitor.page.locator('#gallery li').count(), 0)
  })
}

/** The part that one visitor sees. */
export async function pageSuite(t: Test, cluster: Cluster, browser: Browser): Promise<void> {
  await t.test('a visitor can register, is still signed in after a reload, and can sign out and in again', async t => {
    const visitor = await Visitor.open(browser, cluster.url)
    const { username, password } = somebody()
    await visitor.register(username, password)
    await visitor.told('account', 'worker')
    await visitor.page.reload()
    await visitor.told('account', `You are ${username}`)
    await visitor.page.click('#sign-out')
    await visitor.told('account', 'Signed out')
    t.notOk(await visitor.page.isVisible('#signed-in'))
    await visitor.signIn({ username, password })
    await visitor.page.click('#who-am-i')
    await visitor.told('account', `You are ${username}`)
    t.strictSame(visitor.complaints, [])
  })

  await t.test('a visitor sees all sessions of the account, ends one, and changes the password', async t => {
    const [visitor, other] = [await Visitor.open(browser, cluster.url), await Visitor.open(browser, cluster.url)]
    const { username, password } = somebody()
    await visitor.register(username, password)
    await other.signIn({ username, password })
    const { page } = visitor
    await page.click('#security summary')
    await page.waitForSelector('#sessions li:has-text("this session")')
    t.equal(await page.locator('#sessions li').count(), 2)
    await page.fill('#own-password', password)
    await page.click('#sessions li button')
    await visitor.told('account', 'The session is over.')
    await other.page.click('#who-am-i')
    await other.told('account', 'You are not signed in any more.')

    await page.fill('#new-password', 'password1')
    await page.click('#change-password button')
    await visitor.told('account', 'most common')
    await page.fill('#new-password', 'battery staple')
    await page.click('#change-password button')
    await visitor.told('account', 'Password changed.')
    await page.click('#who-am-i')
    await visitor.told('account', `You are ${username}`)
  })

  await t.test('fields for passwords hide what is typed, and take what is pasted or filled in', async t => {
    const { page } = await Visitor.open(browser, cluster.url)
    const fields = await page.evaluate<string[]>(
      `[...document.querySelectorAll('input')].filter(e => /password/.test(e.id))
        .map(e => [e.type, e.autocomplete, e.maxLength, e.onpaste].join(' '))`,
    )
    t.strictSame(fields, [
      'password current-password -1 ',
      'password current-password -1 ',
      'password new-password -1 ',
    ])
  })

  await t.test('a wrong password is reported in words', async () => {
    const visitor = await Visitor.open(browser, cluster.url)
    await visitor.page.fill('#username', somebody().username)
    await visitor.page.fill('#password', 'not the password')
    await visitor.page.click('#sign-in button[type=submit]')
    await visitor.told('account', 'The username or the password is wrong.')
  })

  await t.test('the page can be used by keyboard alone', async t => {
    const visitor = await Visitor.open(browser, cluster.url)
    const { keyboard } = visitor.page
    const { username, password } = somebody()
    const focused = (): Promise<string> => visitor.page.evaluate('document.activeElement.id')
    const tabTo = async (id: string): Promise<void> => {
      for (let i = 0; i < 40 && (await focused()) !== id; i += 1) await keyboard.press('Tab')
      t.equal(await focused(), id)
    }
    await tabTo('username')
    await keyboard.type(username)
    await tabTo('password')
    await keyboard.type(password)
    await tabTo('register')
    await keyboard.press('Enter')
    await visitor.told('account', 'Registered')
    t.equal(await focused(), 'name', 'the focus moves to the result')
    await tabTo('text')
    await keyboard.type('by keyboard')
    await keyboard.press('Enter')
    await visitor.hears('by keyboard')
    t.equal(await focused(), 'text', 'ready for the next message')
    await tabTo('messages')
    await tabTo('sign-out')
    await keyboard.press('Space')
    await visitor.told('account', 'Signed out')
    t.equal(await focused(), 'username')
    t.strictSame(visitor.complaints, [])
  })

  await t.test('a phone shows the whole page without scrolling sideways', async t => {
    const viewport = { width: 360, height: 740 }
    const visitor = await Visitor.open(browser, cluster.url, { viewport, isMobile: true, hasTouch: true })
    await visitor.page.tap('#text')
    await visitor.page.keyboard.insertText('from a phone, with a word that is long: '.concat('x'.repeat(300)))
    await visitor.page.tap('#say button')
    await visitor.hears('from a phone')
    t.equal(await visitor.page.evaluate('document.documentElement.scrollWidth'), viewport.width)
    const heights = await visitor.page.evaluate<number[]>(
      '[...document.querySelectorAll("button, input")].filter(e => e.offsetParent).map(e => e.offsetHeight)',
    )
    t.ok(Math.min(...heights) >= 44, 'every button and field is tall enough for a finger')
    t.strictSame(visitor.complaints, [])
  })

  await t.test('a product is saved and found in the cache', async t => {
    const visitor = await Visitor.open(browser, cluster.url)
    await visitor.register(somebody().username)
    await visitor.page.fill('#product-name', 'Coffee')
    await visitor.page.fill('#product-price', '3.5')
    await visitor.page.click('#save-product button')
    await visitor.told('products', 'Saved: Coffee, 3.50.')
    await visitor.page.click('#find-product button')
    await visitor.told('products', 'Coffee costs 3.50.')
    await visitor.told('products', 'cache HIT')
    t.strictSame(visitor.complaints, [])
  })
}
