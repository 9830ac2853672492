package pull;

import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.core.Response;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.Map;
import org.eclipse.edc.connector.dataplane.spi.Endpoint;
import org.eclipse.edc.connector.dataplane.spi.iam.DataPlaneAuthorizationService;
import org.eclipse.edc.connector.dataplane.spi.iam.PublicEndpointGeneratorService;
import org.eclipse.edc.edr.spi.store.EndpointDataReferenceStore;
import org.eclipse.edc.runtime.metamodel.annotation.Inject;
import org.eclipse.edc.spi.security.Vault;
import org.eclipse.edc.spi.system.ServiceExtension;
import org.eclipse.edc.spi.system.ServiceExtensionContext;
import org.eclipse.edc.web.spi.WebService;
import org.eclipse.edc.web.spi.configuration.PortMapping;
import org.eclipse.edc.web.spi.configuration.PortMappingRegistry;

/**
 * The public door of the connector's data plane. The connector ships the decision about a token but, at this version, no
 * endpoint that one can fetch from Maven Central; this is that endpoint and nothing more: ask the connector whether the token
 * is good, then fetch what its data address names. It also tells the test (and nobody else listens on loopback) the address and
 * token that the connector got as consumer.
 */
public class PublicApi implements ServiceExtension {
    private static final String CONTEXT = "public";

    @Inject
    private WebService web;
    @Inject
    private PortMappingRegistry ports;
    @Inject
    private PublicEndpointGeneratorService endpoints;
    @Inject
    private DataPlaneAuthorizationService authorization;
    @Inject
    private Vault vault;
    @Inject
    private EndpointDataReferenceStore references;

    @Override
    public String name() {
        return "public door for HTTP pull";
    }

    @Override
    public void initialize(ServiceExtensionContext context) {
        var port = context.getSetting("web.http.public.port", 19291);
        ports.register(new PortMapping(CONTEXT, port, "/public"));
        web.registerResource(CONTEXT, new Door(authorization, references));
        var address = "http://127.0.0.1:" + port + "/public";
        endpoints.addGeneratorFunction("HttpData", source -> Endpoint.url(address));
        keys();
    }

    /** The connector signs its tokens with a key from its vault; this run's key is made anew. */
    private void keys() {
        try {
            var generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            KeyPair pair = generator.generateKeyPair();
            vault.storeSecret("private-key", pem("PRIVATE KEY", pair.getPrivate().getEncoded()));
            vault.storeSecret("public-key", pem("PUBLIC KEY", pair.getPublic().getEncoded()));
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static String pem(String kind, byte[] der) {
        var text = Base64.getMimeEncoder(64, "\n".getBytes()).encodeToString(der);
        return "-----BEGIN " + kind + "-----\n" + text + "\n-----END " + kind + "-----\n";
    }

    /** One resource. */
    @Path("/")
    public static class Door {
        private final DataPlaneAuthorizationService authorization;
        private final EndpointDataReferenceStore references;
        private final HttpClient client = HttpClient.newHttpClient();

        Door(DataPlaneAuthorizationService authorization, EndpointDataReferenceStore references) {
            this.authorization = authorization;
            this.references = references;
        }

        @GET
        @Path("got/{transfer}")
        public Response got(@PathParam("transfer") String transfer) {
            var found = references.resolveByTransferProcess(transfer);
            return found.failed() ? Response.status(404).build()
                    : Response.ok(found.getContent().getProperties()).type("application/json").build();
        }

        @GET
        public Response get(@HeaderParam("Authorization") String token) throws Exception {
            if (token == null) {
                return Response.status(401).build();
            }
            var answer = authorization.authorize(token.replaceFirst("^Bearer ", ""), Map.of());
            if (answer.failed()) {
                return Response.status(403).build();
            }
            var address = answer.getContent().getStringProperty("baseUrl");
            var source = client.send(HttpRequest.newBuilder(URI.create(address)).build(),
                    HttpResponse.BodyHandlers.ofByteArray());
            return Response.status(source.statusCode()).type("text/csv").entity(source.body()).build();
        }
    }
}
