package app;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import javax.net.ssl.X509TrustManager;
import org.apache.catalina.connector.Connector;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.embedded.tomcat.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.security.crypto.factory.PasswordEncoderFactories;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.jose.jws.JwsAlgorithm;
import org.springframework.security.oauth2.jose.jws.MacAlgorithm;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.ClientSettings;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;

/**
 * Spring Authorization Server, on a plain and a TLS listener of the loopback interface. It gets its settings as one
 * line of JSON on stdin, and ends when stdin does. Settings: port, tlsPort, lifetime (seconds), clients ({id, secret,
 * method, alg, jwks (a URL), dn, opaque, bound}), certificate and key (PEM files of the TLS listener).
 */
@SpringBootApplication
public class App {
	private static JsonNode given;

	public static void main(String[] args) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		given = new ObjectMapper().readTree(in.readLine());
		SpringApplication app = new SpringApplication(App.class);
		app.setDefaultProperties(Map.of(
			"server.address", "127.0.0.1",
			"server.port", given.get("port").asText(),
			"logging.level.root", "WARN",
			"spring.main.banner-mode", "off"));
		app.run(args);
		while (in.readLine() != null) {
		}
		System.exit(0);
	}

	@Bean
	PasswordEncoder passwordEncoder() {
		return PasswordEncoderFactories.createDelegatingPasswordEncoder();
	}

	@Bean
	RegisteredClientRepository clients() {
		Map<String, RegisteredClient> all = new HashMap<>();
		for (JsonNode c : given.get("clients")) {
			ClientSettings.Builder settings = ClientSettings.builder();
			if (c.hasNonNull("jwks")) {
				settings.jwkSetUrl(c.get("jwks").asText());
			}
			if (c.hasNonNull("alg")) {
				JwsAlgorithm alg = SignatureAlgorithm.from(c.get("alg").asText());
				settings.tokenEndpointAuthenticationSigningAlgorithm(
					alg != null ? alg : MacAlgorithm.from(c.get("alg").asText()));
			}
			if (c.hasNonNull("dn")) {
				settings.x509CertificateSubjectDN(c.get("dn").asText());
			}
			TokenSettings.Builder tokens = TokenSettings.builder()
				.accessTokenTimeToLive(Duration.ofSeconds(given.get("lifetime").asLong()))
				.x509CertificateBoundAccessTokens(c.path("bound").asBoolean())
				.accessTokenFormat(OAuth2TokenFormat.REFERENCE);
			RegisteredClient.Builder client = RegisteredClient.withId(c.get("id").asText())
				.clientId(c.get("id").asText())
				.clientAuthenticationMethod(new ClientAuthenticationMethod(c.get("method").asText()))
				.authorizationGrantType(new AuthorizationGrantType(
					c.path("grant").asText("client_credentials")))
				.scope("read")
				.clientSettings(settings.build())
				.tokenSettings(tokens.build());
			if (c.hasNonNull("secret")) { // for a MAC it has to be the secret itself
				boolean mac = c.get("method").asText().equals("client_secret_jwt");
				client.clientSecret((mac ? "" : "{noop}") + c.get("secret").asText());
			}
			all.put(c.get("id").asText(), client.build());
		}
		return new RegisteredClientRepository() { // Spring's own wants each secret to be another
			@Override
			public void save(RegisteredClient client) {
				all.put(client.getId(), client);
			}

			@Override
			public RegisteredClient findById(String id) {
				return all.get(id);
			}

			@Override
			public RegisteredClient findByClientId(String id) {
				return all.get(id);
			}
		};
	}

	@Bean
	WebServerFactoryCustomizer<TomcatServletWebServerFactory> tls() {
		return factory -> {
			Connector connector = new Connector("HTTP/1.1");
			connector.setPort(given.get("tlsPort").asInt());
			connector.setScheme("https");
			connector.setSecure(true);
			connector.setProperty("address", "127.0.0.1");
			connector.setProperty("SSLEnabled", "true");
			SSLHostConfig host = new SSLHostConfig();
			host.setCertificateVerification("optional");
			host.setTrustManagerClassName(Anybody.class.getName());
			SSLHostConfigCertificate own = new SSLHostConfigCertificate(host, SSLHostConfigCertificate.Type.UNDEFINED);
			own.setCertificateFile(given.get("certificate").asText());
			own.setCertificateKeyFile(given.get("key").asText());
			host.addCertificate(own);
			connector.addSslHostConfig(host);
			factory.addAdditionalTomcatConnectors(connector);
		};
	}

	/** Anybody's certificate passes the handshake, as self_signed_tls_client_auth needs: the client's method judges it. */
	public static class Anybody implements X509TrustManager {
		@Override
		public void checkClientTrusted(X509Certificate[] chain, String authType) {}

		@Override
		public void checkServerTrusted(X509Certificate[] chain, String authType) {}

		@Override
		public X509Certificate[] getAcceptedIssuers() {
			return new X509Certificate[0];
		}
	}
}
