import { layOut } from './panels.ts';
import { ROWS } from './rows.ts';

/** Grafana's dashboard, as JSON that it imports or is provisioned with. */
export function dashboardJson(): string {
  const dashboard = {
    uid: 'daybell',
    title: 'Daybell',
    schemaVersion: 39,
    editable: true,
    time: { from: 'now-1h', to: 'now' },
    refresh: '10s',
    templating: {
      list: [{ name: 'source', label: 'Prometheus', type: 'datasource', query: 'prometheus' }],
    },
    panels: layOut(ROWS),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
