import { AccountPanel } from './account.js'
import { Chat } from './chat.js'
import { startProducts } from './products.js'
import { startUploads } from './uploads.js'

const account = new AccountPanel()
account.start()
startProducts()
startUploads()
new Chat(account).start()
