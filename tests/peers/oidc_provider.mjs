// A token server by other hands (npm oidc-provider), set up for client credentials, with one address that takes its tokens.
// Argument: the clients, as JSON. Prints where it listens.
import { createServer } from 'node:http';

const { Provider } = await import(new URL('../../tools/node_modules/oidc-provider/lib/index.js', import.meta.url));

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: JSON.parse(process.argv[2]).map((client) => ({
      ...client,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    })),
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    routes: { token: '/oauth2/token' },
    ttl: { ClientCredentials: 120 },
  });
  provider.use(async (ctx, next) => {
    if (ctx.path !== '/api/v4/tradingpartners/') return next();
    const token = await provider.ClientCredentials.find(ctx.get('authorization').replace(/^Bearer /, ''));
    ctx.status = token?.isValid ? 200 : 401;
    ctx.body = token?.isValid ? { meta: { processing_time: 0, message: token.clientId }, data: [] } : { message: 'Unauthorized' };
  });
  server.on('request', provider.callback());
  console.log(`listening on ${port}`);
});
