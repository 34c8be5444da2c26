// Reads a page's API with npm's statuspage.io, a client of Atlassian Statuspage.
// usage: node scripts/lab/page-client.js URL      from a folder with node_modules/statuspage.io
const path = require('path');
const {Statuspage} = require(path.join(process.cwd(), 'node_modules', 'statuspage.io'));

const {api, ...client} = new Statuspage('ours');
client.apiClient.defaults.baseURL = process.argv[2];
const check = (holds, what) => { if (!holds) throw new Error(`${what} is not as it should be`); };
(async () => {
  const summary = await api.getSummary();
  check(summary.page.id && summary.components.length >= 8, 'summary');
  const {status} = await api.getStatus();
  check(['none', 'minor', 'major', 'critical'].includes(status.indicator), 'status');
  check((await api.getComponents()).components.length === summary.components.length, 'components');
  const {incidents} = await api.incidents.getAll();
  check(incidents.length === 1 && incidents[0].components.length >= 8, 'incidents');
  check((await api.incidents.getUnresolved()).incidents.length === 1, 'incidents/unresolved');
  // Whatever this client is asked of planned work, it asks for what is to come.
  check((await api.scheduledMaintenances.getUpcoming()).scheduled_maintenances.length === 1, 'planned work');
  console.log(`statuspage.io reads ${summary.components.length} components: ${status.description}`);
})().catch(error => { console.error(error.message); process.exit(1); });
