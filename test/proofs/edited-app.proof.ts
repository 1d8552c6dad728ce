import t from 'tap'
import { editedApp } from '../integration/suites/edited-app.js'

// In mesh mode it is in the suite.
void editedApp(t, 'default mode')
