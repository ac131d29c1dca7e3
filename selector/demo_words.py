"""The word banks of the demo pool, written for it. A topic is `tags | things | doings | traits`; topics stand from frequent to rare."""

from __future__ import annotations

TOPICS = {
    "home cooking": (
        "recipes, baking, kitchen | onion, garlic, dough, skillet, broth, butter, oven, spatula, simmer, seasoning, "
        "pasta, lentil stew | knead the dough, brown the butter, chop the onions, reduce the sauce, season the soup, "
        "proof the bread | tender, crispy, savoury, buttery"
    ),
    "python programming": (
        "code, debugging, software | function, dictionary, loop, exception, decorator, module, traceback, generator, unit"
        " test, list comprehension, class, import | raise an exception, refactor the function, write a unit test, read "
        "the traceback, loop over the dictionary, pin the dependency | readable, iterable, pythonic, recursive"
    ),
    "personal finance": (
        "budgeting, saving, money | budget, mortgage, savings account, credit card, loan, pension, index fund, interest "
        "rate, emergency fund, tax return, paycheck, debt | pay off the debt, compare the interest rates, open a savings "
        "account, track the expenses, refinance the mortgage, file the tax return | affordable, taxable, frugal, monthly"
    ),
    "fitness training": (
        "exercise, health, strength | squat, deadlift, treadmill, warm-up, dumbbell, push-up, cardio session, muscle, "
        "stretch, personal trainer, gym, kettlebell | lift the dumbbell, stretch the hamstrings, plan the rest days, run "
        "the intervals, warm up the shoulders, count the repetitions | muscular, sweaty, aerobic, flexible"
    ),
    "travel planning": (
        "tourism, itinerary, flights | passport, hostel, itinerary, boarding pass, suitcase, layover, guidebook, visa, "
        "airport, sightseeing tour, hotel, backpack | book the flight, pack the suitcase, renew the passport, reserve the"
        " hostel, cross the border, plan the layover | scenic, touristy, remote, jet-lagged"
    ),
    "gardening": (
        "plants, soil, outdoors | tomato, compost, seedling, trowel, mulch, rose bush, watering can, pruning shears, "
        "flower bed, weed, greenhouse, perennial | prune the roses, turn the compost, sow the seeds, mulch the bed, repot"
        " the seedling, pull the weeds | fertile, leafy, shady, blooming"
    ),
    "job interviews": (
        "career, hiring, communication | recruiter, resume, cover letter, salary, interviewer, reference, job offer, "
        "candidate, portfolio, internship, promotion, hiring manager | negotiate the salary, tailor the resume, thank the"
        " interviewer, rehearse the answers, accept the job offer, ask for a reference | qualified, confident, "
        "professional, punctual"
    ),
    "parenting": (
        "children, family, childhood | toddler, bedtime, tantrum, diaper, playground, nursery, stroller, pacifier, "
        "babysitter, sibling, crib, storybook | soothe the baby, set the bedtime, praise the toddler, share the toys, "
        "child-proof the drawer, read the storybook | sleepy, playful, fussy, affectionate"
    ),
    "data analysis": (
        "statistics, spreadsheets, charts | histogram, median, spreadsheet, outlier, regression, scatter plot, sample "
        "size, variance, correlation, pivot table, confidence interval, survey | plot the histogram, remove the outliers,"
        " fit the regression, compute the median, clean the spreadsheet, compare the samples | skewed, quantitative, "
        "linear, noisy"
    ),
    "dog care": (
        "pets, animals, training | puppy, leash, collar, kennel, treat, veterinarian, fur, chew toy, obedience class, "
        "paw, barking, vaccination | walk the dog, trim the claws, brush the fur, reward the puppy, crate-train the "
        "puppy, fill the bowl | obedient, furry, energetic, loyal"
    ),
    "world history": (
        "history, empires, past | empire, revolution, treaty, dynasty, emperor, conquest, archive, monarchy, siege, trade"
        " route, civil war, chronicle | sign the treaty, overthrow the monarchy, trace the dynasty, study the chronicle, "
        "found the empire, abolish the tax | imperial, medieval, colonial, ancient"
    ),
    "email writing": (
        "business, correspondence, tone | subject line, inbox, attachment, greeting, signature, colleague, reply, "
        "newsletter, deadline, follow-up, draft, client | draft the reply, attach the report, shorten the subject line, "
        "thank the client, postpone the meeting, proofread the draft | polite, concise, formal, courteous"
    ),
    "car maintenance": (
        "vehicles, repair, mechanics | engine, brake pad, tyre, oil filter, spark plug, gearbox, radiator, battery, "
        "headlight, exhaust, clutch, dashboard | change the oil, rotate the tyres, bleed the brakes, jump-start the "
        "battery, replace the spark plug, top up the coolant | rusty, mechanical, leaky, roadworthy"
    ),
    "creative writing": (
        "fiction, storytelling, prose | protagonist, plot twist, dialogue, narrator, chapter, manuscript, villain, "
        "metaphor, setting, first draft, scene, editor | outline the plot, revise the chapter, describe the setting, cut "
        "the adjectives, introduce the villain, polish the dialogue | poetic, suspenseful, vivid, fictional"
    ),
    "astronomy": (
        "space, stars, science | telescope, galaxy, comet, nebula, planet, orbit, supernova, black hole, eclipse, moon, "
        "constellation, asteroid | point the telescope, track the comet, map the constellation, observe the eclipse, "
        "measure the redshift, photograph the nebula | celestial, luminous, interstellar, lunar"
    ),
    "web design": (
        "html, layout, interfaces | stylesheet, landing page, navigation bar, browser, font, button, grid layout, "
        "wireframe, colour palette, banner, contact form, icon | align the columns, resize the banner, test the browser, "
        "sketch the wireframe, compress the images, label the buttons | responsive, clickable, minimalist, accessible"
    ),
    "nutrition": (
        "diet, food, wellbeing | protein, vitamin, calorie, fibre, carbohydrate, meal plan, breakfast, supplement, iron, "
        "portion, snack, cholesterol | count the calories, read the label, plan the breakfast, add the fibre, cut the "
        "sugar, balance the portions | nutritious, vegan, sugary, wholesome"
    ),
    "climate science": (
        "environment, warming, energy | greenhouse gas, carbon dioxide, glacier, sea level, emission, ice core, drought, "
        "methane, heatwave, climate model, ocean current, carbon budget | cut the emissions, drill the ice core, model "
        "the warming, measure the methane, forecast the drought, store the carbon | atmospheric, warming, arctic, "
        "polluted"
    ),
    "mathematics": (
        "algebra, proofs, numbers | theorem, equation, triangle, prime number, matrix, integral, derivative, fraction, "
        "lemma, polynomial, proof, vector space | solve the equation, prove the theorem, factor the polynomial, sketch "
        "the triangle, integrate the function, check the remainder | algebraic, infinite, orthogonal, divisible"
    ),
    "photography": (
        "cameras, images, light | shutter speed, aperture, tripod, lens, portrait, exposure, flash, viewfinder, darkroom,"
        " composition, filter, negative | adjust the aperture, steady the tripod, frame the portrait, bracket the "
        "exposure, clean the lens, develop the negative | blurry, backlit, monochrome, wide-angle"
    ),
    "language learning": (
        "grammar, vocabulary, translation | verb, flashcard, accent, pronunciation, tutor, phrasebook, noun, idiom, "
        "tense, dictation, native speaker, syllable | conjugate the verb, memorise the idiom, practise the accent, review"
        " the flashcards, translate the phrase, shadow the speaker | fluent, bilingual, grammatical, colloquial"
    ),
    "home repair": (
        "tools, maintenance, diy | drywall, screwdriver, leaking tap, hinge, sealant, power drill, floorboard, wallpaper,"
        " paintbrush, plaster, socket, toolbox | patch the drywall, tighten the hinge, sand the floorboard, strip the "
        "wallpaper, drill the hole, seal the window | squeaky, cracked, damp, sturdy"
    ),
    "chess": (
        "strategy, games, tactics | bishop, knight, pawn, rook, checkmate, opening, endgame, gambit, castling, queen "
        "sacrifice, grandmaster, fork | castle the king, pin the knight, push the pawn, trade the queens, study the "
        "endgame, decline the gambit | tactical, positional, doubled, cornered"
    ),
    "cardiology": (
        "medicine, heart, patients | artery, heartbeat, blood pressure, stethoscope, valve, arrhythmia, pacemaker, chest "
        "pain, aorta, cardiologist, pulse, stent | measure the blood pressure, listen to the heartbeat, implant the "
        "pacemaker, widen the artery, monitor the pulse, thin the blood | cardiac, arterial, elevated, irregular"
    ),
    "music theory": (
        "music, harmony, composition | chord, melody, minor scale, rhythm, octave, tempo, interval, cadence, "
        "counterpoint, key signature, arpeggio, bass line | resolve the cadence, transpose the melody, invert the chord, "
        "count the rhythm, harmonise the scale, raise the seventh | melodic, dissonant, syncopated, harmonic"
    ),
    "networking hardware": (
        "routers, internet, helpdesk | router, ethernet cable, firewall, switch, bandwidth, packet, wireless signal, "
        "modem, port, subnet, access point, latency | restart the router, open the port, trace the packet, update the "
        "firmware, crimp the cable, split the subnet | wireless, encrypted, congested, wired"
    ),
    "contract law": (
        "legal, agreements, clauses | contract, clause, breach, tenant, landlord, lawyer, liability, lease, court, "
        "arbitration, signature page, notice period | sign the lease, dispute the clause, notify the landlord, terminate "
        "the contract, consult the lawyer, claim the deposit | binding, enforceable, contractual, void"
    ),
    "psychology": (
        "mind, behaviour, emotions | anxiety, therapist, habit, memory, motivation, cognitive bias, childhood attachment,"
        " mood, coping strategy, self-esteem, reward, procrastination | name the emotion, break the habit, challenge the "
        "thought, interview the patient, reward the effort, recall the memory | anxious, cognitive, subconscious, "
        "resilient"
    ),
    "coffee brewing": (
        "drinks, beans, barista | espresso, grinder, roast, filter paper, kettle, crema, cappuccino, portafilter, cold "
        "brew, coffee bean, milk foam, barista | grind the beans, tamp the espresso, steam the milk, rinse the filter, "
        "bloom the grounds, descale the machine | bitter, aromatic, roasted, acidic"
    ),
    "marine biology": (
        "ocean, animals, ecosystems | coral reef, plankton, dolphin, seaweed, octopus, tide pool, whale, jellyfish, kelp "
        "forest, sea turtle, anemone, crab | tag the turtle, survey the reef, sample the plankton, follow the whale, "
        "protect the kelp, record the dolphins | tidal, saltwater, bioluminescent, migratory"
    ),
    "wedding planning": (
        "events, celebration, guests | bride, bouquet, venue, guest list, wedding cake, invitation, groom, reception, "
        "vow, seating chart, caterer, bridesmaid | taste the cake, mail the invitations, write the vows, seat the guests,"
        " book the venue, arrange the bouquet | romantic, festive, elegant, floral"
    ),
    "geology": (
        "rocks, earth, minerals | granite, volcano, fault line, sediment, magma, fossil, earthquake, basalt, mineral, "
        "tectonic plate, crater, quartz | date the rock, map the fault, split the fossil, scratch the mineral, core the "
        "sediment, record the earthquake | volcanic, sedimentary, molten, crystalline"
    ),
    "board games": (
        "games, players, rules | dice, card deck, meeple, rulebook, scoreboard, game night, token, dungeon, expansion, "
        "turn order, game board, opponent | roll the dice, shuffle the deck, explain the rulebook, trade the tokens, "
        "score the round, place the meeple | cooperative, competitive, replayable, lucky"
    ),
    "sewing": (
        "fabric, crafts, clothing | needle, thread, hem, zipper, pattern, bobbin, fabric, seam, button hole, sewing "
        "machine, pincushion, lining | thread the needle, hem the skirt, pin the pattern, wind the bobbin, replace the "
        "zipper, press the seam | stitched, woven, frayed, pleated"
    ),
    "public speaking": (
        "speeches, audience, confidence | podium, speech, audience, microphone, slide deck, stage fright, applause, "
        "gesture, opening line, eye contact, cue card, toast | open the speech, pause for the audience, project the "
        "voice, rehearse the toast, shorten the slides, grip the podium | persuasive, audible, nervous, eloquent"
    ),
    "cycling": (
        "bicycles, sport, commuting | bicycle chain, saddle, derailleur, handlebar, inner tube, helmet, pedal, bike lane,"
        " spoke, hill climb, brake lever, peloton | oil the chain, patch the inner tube, shift the gear, true the wheel, "
        "adjust the saddle, climb the hill | aerodynamic, downhill, punctured, lightweight"
    ),
    "ancient philosophy": (
        "ethics, thinkers, ideas | virtue, stoic, dialogue, sceptic, rhetoric, happiness, syllogism, republic, wisdom, "
        "paradox, moral duty, oracle | question the premise, define the virtue, refute the sceptic, examine the paradox, "
        "live the doctrine, teach the dialogue | stoic, ethical, metaphysical, virtuous"
    ),
    "beekeeping": (
        "bees, honey, hives | hive, queen bee, honeycomb, smoker, nectar, swarm, drone, beeswax, pollen, brood frame, "
        "apiary, honey jar | inspect the hive, smoke the bees, mark the queen, harvest the honey, catch the swarm, melt "
        "the beeswax | buzzing, sticky, swarming, golden"
    ),
    "tea ceremony": (
        "tea, ritual, tradition | matcha, whisk, teapot, tatami, tea bowl, oolong, kettle, tea house, incense, leaf, "
        "ladle, host | whisk the matcha, warm the bowl, bow to the host, steep the leaves, fold the cloth, scoop the "
        "water | ceremonial, fragrant, steeped, serene"
    ),
    "sailing": (
        "boats, sea, wind | mainsail, rudder, mast, keel, anchor, harbour, jib, buoy, knot, tiller, starboard, regatta | "
        "hoist the mainsail, tack the boat, drop the anchor, trim the jib, steer the tiller, moor the yacht | nautical, "
        "windward, seaworthy, breezy"
    ),
    "genetics": (
        "dna, biology, heredity | chromosome, gene, mutation, genome, enzyme, inheritance, allele, sequencing run, "
        "protein fold, embryo, twin study, phenotype | sequence the genome, edit the gene, cross the strains, trace the "
        "mutation, copy the plasmid, map the allele | hereditary, dominant, recessive, mutant"
    ),
    "birdwatching": (
        "birds, nature, observation | binoculars, warbler, nest, plumage, owl, field guide, migration, birdsong, heron, "
        "beak, feeder, woodpecker | spot the warbler, note the plumage, hang the feeder, record the birdsong, count the "
        "herons, ring the owl | feathered, nocturnal, crested, migrating"
    ),
    "pottery": (
        "clay, ceramics, crafts | kiln, glaze, potter's wheel, clay, vase, slip, stoneware, bisque, teapot spout, "
        "terracotta, mug handle, porcelain | throw the vase, fire the kiln, trim the foot, wedge the clay, brush the "
        "glaze, score the handle | glazed, earthenware, brittle, hollow"
    ),
    "skiing": (
        "snow, mountains, winter | slope, ski lift, avalanche, ski boot, powder, slalom, goggles, chairlift, wax, ski "
        "pole, piste, chalet | wax the skis, carve the turn, ride the chairlift, buckle the boots, probe the snow, cross "
        "the moguls | snowy, icy, alpine, groomed"
    ),
    "cryptography": (
        "security, ciphers, secrets | cipher, private key, hash, signature scheme, plaintext, password, prime factor, "
        "certificate, nonce, eavesdropper, one-time pad, handshake | encrypt the message, rotate the key, salt the "
        "password, verify the certificate, break the cipher, exchange the secret | encrypted, asymmetric, unguessable, "
        "secret"
    ),
    "cheesemaking": (
        "dairy, fermentation, milk | rennet, curd, whey, cheddar, rind, brine, cheese press, starter culture, ageing "
        "cave, goat milk, cheesecloth, mould | cut the curd, press the cheddar, wash the rind, drain the whey, warm the "
        "milk, salt the wheel | creamy, mouldy, ripened, crumbly"
    ),
    "archaeology": (
        "excavation, artefacts, ruins | trench, pottery shard, tomb, excavation, artefact, burial mound, inscription, "
        "trowel, mosaic, ruin, relic, layer | sieve the soil, date the shard, draw the trench, open the tomb, label the "
        "artefact, clean the mosaic | buried, prehistoric, excavated, ceremonial"
    ),
    "origami": (
        "paper, folding, crafts | paper crane, crease, valley fold, square sheet, pleat, paper frog, reverse fold, "
        "diagram, petal fold, lily, tessellation, corner | fold the crane, crease the corner, flip the sheet, tuck the "
        "flap, sharpen the pleat, follow the diagram | folded, symmetrical, papery, crisp"
    ),
    "meteorology": (
        "weather, forecasts, storms | barometer, cold front, thunderstorm, humidity, cloud, tornado, jet stream, rain "
        "gauge, hail, isobar, weather balloon, radar echo | read the barometer, launch the balloon, track the storm, "
        "chart the isobars, measure the rainfall, warn the sailors | cloudy, humid, stormy, overcast"
    ),
    "calligraphy": (
        "lettering, ink, handwriting | nib, ink, parchment, flourish, brush stroke, penholder, serif, gothic script, "
        "inkwell, guideline, letterform, blotter | dip the nib, draw the flourish, rule the guidelines, slant the "
        "letters, grind the ink, gild the capital | inky, ornate, cursive, slanted"
    ),
    "veterinary surgery": (
        "animals, surgery, clinic | scalpel, anaesthetic, suture, cat bladder, x-ray, bandage, cone collar, hip joint, "
        "clinic, tumour, horse tendon, recovery cage | suture the wound, sedate the cat, shave the flank, read the x-ray,"
        " set the bone, clip the cone | surgical, sedated, sterile, limping"
    ),
    "bookbinding": (
        "books, paper, crafts | spine, endpaper, bone folder, linen thread, signature fold, headband, hardcover, awl, "
        "leather cover, glue pot, book press, flyleaf | sew the signatures, glue the spine, trim the pages, pierce the "
        "fold, stretch the leather, press the cover | bound, gilded, leathery, stitched"
    ),
    "glass blowing": (
        "glass, furnace, crafts | furnace, blowpipe, molten glass, goblet, annealer, jacks, bubble, punty, glass cane, "
        "torch, ornament, shard | gather the glass, blow the bubble, anneal the goblet, crack off the punty, swing the "
        "pipe, pull the cane | molten, transparent, blown, fragile"
    ),
    "falconry": (
        "falcons, hunting, birds of prey | falcon, hood, glove, lure, talon, perch, jess, hawk, mews, quarry, bell, "
        "feather | hood the falcon, swing the lure, weigh the hawk, fit the bell, imp the feather, call the bird to the "
        "glove | raptorial, hooded, swift, taloned"
    ),
    "heraldry": (
        "coats of arms, symbols, nobility | shield, crest, lion rampant, herald, chevron, motto, escutcheon, banner, "
        "unicorn supporter, tincture, fleur-de-lis, crown | blazon the shield, quarter the arms, grant the crest, paint "
        "the chevron, carve the motto, display the banner | heraldic, noble, quartered, emblazoned"
    ),
    "mycology": (
        "mushrooms, fungi, foraging | spore, mushroom cap, mycelium, chanterelle, gill, truffle, toadstool, spore print, "
        "lichen, puffball, hypha, morel | slice the cap, take the spore print, forage the morels, stain the hyphae, "
        "culture the mycelium, dry the chanterelles | fungal, edible, poisonous, spongy"
    ),
    "puppetry": (
        "theatre, puppets, performance | marionette, puppet stage, string, glove puppet, shadow screen, puppeteer, wooden"
        " head, control bar, papier-mache, costume, curtain, ventriloquist | string the marionette, carve the head, voice"
        " the puppet, paint the face, light the screen, hide the hands | wooden, theatrical, jointed, comical"
    ),
    "horology": (
        "watches, clocks, mechanics | mainspring, escapement, pendulum, balance wheel, watch dial, gear train, "
        "chronometer, cuckoo clock, hairspring, jewel bearing, crown wheel, watchmaker | wind the mainspring, oil the "
        "escapement, regulate the pendulum, polish the dial, time the balance, open the caseback | ticking, wound, "
        "jewelled, precise"
    ),
    "speleology": (
        "caves, underground, exploration | cave, stalactite, headlamp, sump, caver, limestone passage, bat colony, rope "
        "pitch, cavern, flowstone, sinkhole, underground river | rig the rope, map the cave, squeeze the passage, dive "
        "the sump, check the headlamp, count the bats | subterranean, dripping, dark, narrow"
    ),
    "perfumery": (
        "scents, fragrance, oils | top note, musk, bergamot, jasmine, essential oil, accord, vetiver, perfume bottle, "
        "sandalwood, fixative, amber, scent strip | blend the accord, dilute the musk, smell the strip, macerate the "
        "jasmine, age the perfume, name the top note | scented, floral, resinous, musky"
    ),
}

# What is asked for, and the questions that ask for it.
TASKS = {
    "explanation": (
        "Explain how the {thing} and the {thing} work together in {topic}.|What is the role of the {thing} in {topic}, "
        "and why is it {trait}?|Why does the {thing} matter when you {doing}?|I am new to {topic}. Can you explain the "
        "{thing} in plain words?"
    ),
    "step by step": (
        "Describe step by step how to {doing} with the {thing}.|Give me clear instructions so that I can {doing} "
        "{time}.|How do I {doing} when the {thing} is too {trait}?|Walk me through {topic}: how do I {doing} and then "
        "{doing}?"
    ),
    "list": (
        "List {count} things to check before you {doing} in {topic}.|Name {count} common mistakes with the {thing} and "
        "the {thing}.|Which {count} tools from {topic} would you use to {doing}?"
    ),
    "comparison": (
        "Compare the {thing} with the {thing} for someone interested in {topic}.|Which is better in {topic}, a {trait} "
        "{thing} or a {trait} {thing}?|What is the difference between the {thing} and the {thing}?"
    ),
    "advice": (
        "What would you advise {name}, who wants to {doing} {time}?|{name} asked me about the {thing}. What should I "
        "answer?|My {thing} looks {trait}. Should I {doing}, or rather {doing}?"
    ),
    "story": (
        "Write a short story about {name}, who tries to {doing}.|Invent a scene in which {name} loses the {thing} "
        "{time}.|Tell a tale from the world of {topic} about a {trait} {thing}."
    ),
    "summary": (
        "Summarise what a beginner needs to know about the {thing} in {topic}.|Sum up in a few sentences why people "
        "{doing}.|Give a brief overview of {topic}, from the {thing} to the {thing}."
    ),
    "planning": (
        "Make a plan for one week in which I learn to {doing}.|Plan a {trait} afternoon of {topic} for {name} and two "
        "friends.|Draft a schedule to {doing} {time} without losing the {thing}."
    ),
    "question answering": (
        "Is it true that you have to {doing} before you {doing}?|Who invented the {thing}, and was it always "
        "{trait}?|When should one {doing} in {topic}?"
    ),
    "classification": (
        "Is this about {topic} or about {mass}? Answer in a word.|What kind of {noun} is meant here?|Which label fits, {adj} or {adj}?|"
        "Say whether the text is {adj}, {adj} or neither."
    ),
    "extraction": (
        "Which {noun} is named in the text?|Who {verbed} the {thing}?|Find the {noun} that is called {adj}.|"
        "In which year was the {thing} {verbed}?|"
        "Copy the words about {mass}."
    ),
    "troubleshooting": (
        "The {thing} does not behave after I {doing}. What went wrong?|Find out why my {thing} is {trait} although I "
        "{doing} {time}.|Help me: the {thing} broke while I tried to {doing}."
    ),
}

CONTEXTS = (
    "I have only a {thing} and a {trait} {thing} at hand.|Please keep it short, since {name} will read it {time}.|Last "
    "{season} I tried to {doing} and it went {manner}.|The answer should mention the {thing}.|Use plain language and "
    "avoid jargon.|My {relative} told me that the {thing} is always {trait}, which sounds {manner} wrong to me.|Assume "
    "that I already know how to {doing}.|We meet {time} in {place} to talk about it."
)

OPENERS = {
    "explanation": (
        "The {thing} is the part of {topic} that decides whether the result turns out {trait}.|In {topic}, the {thing} "
        "does most of the work."
    ),
    "step by step": ("Begin with the {thing}: check that it is not too {trait}.|First of all, {doing}; everything else follows from that."),
    "list": (
        "Here are the points that matter most: the {thing}, the {thing} and the {thing}.|Start with the {thing}, then look at the {thing}."
    ),
    "comparison": (
        "The {thing} is more {trait}, while the {thing} is easier to handle.|Both have their place: the {thing} helps you"
        " {doing}, the {thing} does not."
    ),
    "advice": ("I would {doing} first and worry about the {thing} later.|Take your time with the {thing}, and do not {doing} in a hurry."),
    "story": ("{name} had never seen such a {trait} {thing} before.|One {season} in {place}, {name} was about to {doing}."),
    "summary": (
        "In short, {topic} rests on the {thing} and the {thing}.|The essence of {topic} is simple: {doing}, and keep the {thing} {trait}."
    ),
    "planning": "Day one: {doing}. Day two: rest and look after the {thing}.|Set aside an hour {time} for the {thing}.",
    "question answering": "Yes, as a rule you {doing} first.|No, that is a myth: the {thing} can be {trait} without it.",
    "troubleshooting": "Most likely the {thing} is too {trait}.|This happens when people {doing} before the {thing} is ready.",
}

SENTENCES = (
    "After that, {doing} {manner}, and watch the {thing}.|A {trait} {thing} is {manner} better than a {trait} "
    "{thing}.|Once the {thing} is ready, you can {doing}.|Experts in {topic} {manner} recommend to {doing} {time}.|If the"
    " {thing} seems {trait}, {doing} again.|{name} from {place} learned to {doing} within a single {season}.|Keep the "
    "{thing} away from the {thing}, or both will suffer.|It also helps to {doing}, because the {thing} reacts "
    "{manner}.|Many beginners forget the {thing} and then wonder why nothing is {trait}.|You do not need an expensive "
    "{thing} for this.|The {thing} was described by {name}, who lived near {place}.|Remember that the {thing} and the "
    "{thing} are not the same.|When in doubt, {doing} and ask your {relative}.|There are {count} ways to {doing}, and "
    "each of them leaves the {thing} {trait}.|Some people {doing} {time}; others never touch the {thing}.|With practice, "
    "the {thing} becomes {manner} familiar.|This keeps the {thing} {trait} for the whole {season}.|Before you {doing}, "
    "make sure that the {thing} is not damaged.|The {thing} costs little, yet it makes {topic} {manner} easier.|For the "
    "same reason, the {thing} should stay {trait} until you {doing}.|Nobody in {place} would {doing} without a {trait} "
    "{thing}.|Look closely at the {thing}: it tells you when to {doing}."
)
CLOSERS = (
    "With a little patience the {thing} will be fine.|That is all there is to it.|Enjoy the {thing}!|If it still looks "
    "{trait}, simply {doing} once more.|Good luck with {topic}.|{name} would surely agree.|Write down what you did, so "
    "that you can repeat it {time}."
)
TIMES = (
    "in the morning, on a rainy day, before breakfast, at the weekend, late at night, during the holidays, after work, in"
    " early spring, once a month, on a tight schedule, at short notice, in the afternoon, over several days, before the "
    "guests arrive, without any help, every other week"
)
MANNERS = (
    "surprisingly, gently, remarkably, slowly, noticeably, quickly, carefully, quietly, steadily, almost always, "
    "considerably, barely, gradually, reliably, unexpectedly, evenly, thoroughly, usefully, oddly, patiently"
)
SEASONS = "spring, summer, autumn, winter, season, year, month"
RELATIVES = "aunt, neighbour, teacher, colleague, grandfather, sister, mentor, cousin, friend, uncle"
COUNTS = "three, four, five, six, seven, eight"

# Sentences around words of the long tail (`demo_lexicon`), for both sides.
ASIDES = (
    "for a {adj} {noun}| like the {nouns} in {land}| without {mass}| near {town}| in {year}| for {given} {surname}| and {verb} the {nouns}|"
    " with {number} {nouns}| after the {adj} {noun}| as in `{code}`| for {adj} {nouns}| between {town} and {town}|"
    " on the {product}| about {mass}"
)
SHORT = (
    "Define {mass}.|What is {mass}?|What has {mass} to do with the {thing}?|Who was {surname}?|What is a {noun}?|Draw a {noun}.|"
    "Is {topic} {adj}?|Give another word for {adj}.|Is the {thing} {adj}?|What is the opposite of {adj}?|Use {adj} in a sentence.|"
    "How far is it to {town}?|What is {town} known for?|How large is {land}?|Tell me about {land}.|Who is {given} in the story?|"
    "Can a {noun} {doing}?|How many {nouns} are there?|Why do {nouns} need the {thing}?|What are {nouns}?|How do I {verb} the {thing}?|"
    "What does it mean to {verb}?|Write a headline about {mass}.|Rhyme with {noun}.|Spell {verbed}.|Translate {verbing}.|"
    "What does `{code}` do?|What happened in {year}?|Convert {number} {nouns}.|{topic}: {adj} or {trait}?|"
    "{given}, a {noun} in {town}, wants to {doing}. How?|Rewrite: the {adj} {noun} {verbed} the {thing}."
)
PASSAGES = (
    "Read this text:|Here is the passage.|Article:|The note says:|Consider the following paragraph.|Context:|Given the text below, answer.|"
    "Use only what stands here."
)
FACTS = (
    "{given}|{town}|{land}|{noun}|{nouns}|a {noun}|{adj}|{mass}|{adj}|{mass}|{nouns}|{town}|{verb}|{verbed}|{land}|{surname}|the {noun}|"
    "{given} {surname}|a {adj} {noun}|{nouns} and {mass}|the {thing}, {adj}|{topic} and {mass}|{trait} and {adj}|{number} {nouns}|"
    "`{code}`|{name}|the {nouns} of {town}|in {year}, near {town}|{verb} the {noun}|the {adj} {thing}|"
    "{doing} with {mass}|yes|no|{place}, {land}"
)
TAIL = (
    "{given} {surname} {verbed} the {thing} in {town} in {year}.|The {adj} {noun} was {verbed} by {nouns} from {land}.|"
    "In {land}, {nouns} {verb} the {thing} with {mass}.|There were {number} {nouns} and only one {thing}.|"
    "Think of {mass}: it does not {verb} the {thing}, but it can {verb} a {noun}.|The {noun} and the {noun} are both {adj}.|"
    "{mass} is what makes the {thing} so {adj}.|Call `{code}` before you {doing}.|"
    "The {product} has a {adj} {noun} and costs {number} dollars.|"
    "My {relative} {given} was {verbing} {nouns} {time}.|A {noun} from {town} would rather {verb} than {doing}.|"
    "Some say that the {thing} is {adj}; others point to {mass} and {mass}.|"
    "It takes {number} minutes to {doing}, or {number} with a {noun}.|"
    "As a {noun}, {given} prefers {adj} {nouns} to {adj} ones.|Between {year} and {year} the {nouns} of {town} {verbed} {manner}.|"
    "If a {noun} is {verbing}, {doing} and keep the {noun} {trait}.|The {adj} side of {topic} is {mass}.|"
    "Put the {thing} beside the {noun}, the {noun} and the {noun}.|{surname} called it a {adj} kind of {mass}.|"
    "Without {mass} there would be no {nouns}, no {nouns} and no {thing}.|The {thing} is not a {noun}, however {adj} it looks.|"
    "{town} and {town} are known for {adj} {nouns}.|You can {verb} it, {verb} it or even {verb} it.|"
    "{given} and {given} {verbed} the {noun} while the {noun} was {verbing}.|In the end the {noun} {verbed} the {adj} {thing}.|"
    "According to {surname} ({year}), {mass} and {topic} have little in common.|A {adj} {noun} is worth {number} {nouns}.|"
    "The value of `{code}` stays {adj} unless you {verb} the {noun}.|{verbing} the {nouns} is {adj} work, says {given} from {land}.|"
    "Neither the {noun} nor the {nouns} were {adj} enough to {doing}.|We {verbed} {number} {nouns}, {number} of them {adj}.|"
    "Ask the {noun} for a {adj} {thing}, since {mass} is {manner} rare in {place}."
)

# Verbs that end so double the last letter: omitted, compelling.
DOUBLED = (
    "debug",
    "blur",
    "admit",
    "emit",
    "mmit",
    "omit",
    "rmit",
    "ubmit",
    "nsmit",
    "cquit",
    "mpel",
    "xpel",
    "repel",
    "spel",
    "bel",
    "cel",
    "uel",
    "vel",
    "nrol",
    "ulfil",
    "distil",
    "nfer",
    "refer",
    "deter",
    "cur",
    "gret",
    "quip",
    "rmat",
    "skim",
    "hug",
    "sob",
    "hrug",
    "drag",
)

# Names are put together from parts, so that each stays rare in the pool.
FIRST = "Ad, Bel, Cor, Dar, El, Fen, Gil, Hal, Is, Jor, Kel, Lor, Mir, Nor, Ol, Per, Quin, Ros, Sal, Tam, Ul, Ver, Wil, Yar, Zel"
MIDDLE = "a, an, ar, e, el, en, i, in, ist, o, on, or, u, und, y"
LAST = "bert, dan, dine, gar, la, lia, mond, na, nor, ra, rick, sa, ton, va, wen, zo"
PLACES = "bridge, burg, by, dale, field, ford, ham, haven, holm, mere, mouth, stead, vale, wick"
