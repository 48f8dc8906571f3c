import java.io.FileInputStream;
import java.net.Socket;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;

/**
 * A JSSE client whose key manager insists on a usable certificate: `java StrictClient.java PORT PROTOCOL ROOT.pem`.
 * With a fourth argument it is not strict and sends an empty certificate.
 */
public class StrictClient {
    public static void main(String[] arguments) throws Exception {
        KeyStore trust = KeyStore.getInstance(KeyStore.getDefaultType());
        trust.load(null, null);
        try (FileInputStream in = new FileInputStream(arguments[2])) {
            trust.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance("PKIX");
        managers.init(trust);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(arguments.length > 3 ? null : new KeyManager[] {new Strict()}, managers.getTrustManagers(), null);
        Socket plain = new Socket("127.0.0.1", Integer.parseInt(arguments[0]));
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, "tls-server.local", 8443, true);
        socket.setEnabledProtocols(new String[] {arguments[1]});
        try {
            socket.startHandshake();
            socket.getInputStream().read();
        } catch (Exception error) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                System.out.println(cause);
            }
        }
        socket.close();
    }

    /** Refuses to go on when no key fits, instead of sending an empty certificate. */
    static class Strict extends X509ExtendedKeyManager {
        @Override
        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
            throw new IllegalStateException("no valid client certificate in the key store");
        }

        @Override
        public String[] getClientAliases(String type, Principal[] issuers) {
            return null;
        }

        @Override
        public String[] getServerAliases(String type, Principal[] issuers) {
            return null;
        }

        @Override
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            return null;
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            return null;
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return null;
        }
    }
}
