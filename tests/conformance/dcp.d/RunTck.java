import java.io.FileReader;
import java.util.HashMap;
import java.util.Properties;
import java.util.regex.Pattern;
import org.eclipse.dataspacetck.core.system.ConsoleMonitor;
import org.eclipse.dataspacetck.dcp.system.DcpSystemLauncher;
import org.eclipse.dataspacetck.runtime.TckRuntime;

/** Runs the kit's tests of verifiers with a properties file, or those whose names match; it has an exit code. */
public class RunTck {
    public static void main(String[] words) throws Exception {
        var read = new Properties();
        try (var reader = new FileReader(words[0])) {
            read.load(reader);
        }
        var properties = new HashMap<String, String>();
        read.forEach((key, value) -> properties.put(key.toString(), value.toString()));
        var wanted = Pattern.compile(words.length > 1 ? words[1] : ".*");
        var done = TckRuntime.Builder.newInstance()
                .properties(properties)
                .launcher(DcpSystemLauncher.class)
                .addPackage("org.eclipse.dataspacetck.dcp.verification.presentation.verifier")
                .displayNameMatching(name -> wanted.matcher(name).find())
                .monitor(new ConsoleMonitor(false, false))
                .build()
                .execute();
        done.getFailures().forEach(failure -> System.out.println(
                "FAIL " + failure.getTestIdentifier().getDisplayName() + " :: " + failure.getException()));
        System.out.println(done.getTestsSucceededCount() + " passed, " + done.getTestsFailedCount() + " failed");
        System.exit(done.getTestsFailedCount() == 0 && done.getTestsSucceededCount() > 0 ? 0 : 1);
    }
}
