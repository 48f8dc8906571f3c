import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** A TLS 1.3 server that requires a client certificate and answers one request: `java Server.java PORT KEYSTORE CLIENT-CA`. */
public class Server {
    public static void main(String[] args) throws Exception {
        char[] password = "lab".toCharArray();
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(new FileInputStream(args[1]), password);
        KeyManagerFactory own = KeyManagerFactory.getInstance("SunX509");
        own.init(keys, password);
        KeyStore clients = KeyStore.getInstance("PKCS12");
        clients.load(null, null);
        clients.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(args[2])));
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(clients);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(own.getKeyManagers(), trust.getTrustManagers(), null);
        SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(Integer.parseInt(args[0]));
        server.setNeedClientAuth(true);
        System.out.println("ACCEPT");
        try (SSLSocket peer = (SSLSocket) server.accept()) {
            peer.getInputStream().read(new byte[4096]);
            peer.getOutputStream().write("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n".getBytes());
        } catch (Exception e) {
            System.out.println(e);
        }
    }
}
