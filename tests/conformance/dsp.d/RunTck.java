import java.io.FileReader;
import java.util.HashMap;
import java.util.Properties;
import java.util.regex.Pattern;
import org.eclipse.dataspacetck.core.system.ConsoleMonitor;
import org.eclipse.dataspacetck.dsp.system.DspSystemLauncher;
import org.eclipse.dataspacetck.runtime.TckRuntime;

/** Runs the kit with a properties file, or the tests whose names match; unlike the kit's own main it has an exit code. */
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
                .launcher(DspSystemLauncher.class)
                .addPackage("org.eclipse.dataspacetck.dsp.verification")
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
